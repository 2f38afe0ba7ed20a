"""Charts of reading depth: drawn by Vega, with every network, class and turn on them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import vl_convert

from linewise.analysis import Summary, summarise
from linewise.analysis.depth import Depth
from linewise.foundations.folder import StudyFolder
from linewise.report.charts.chart import Chart, Looks
from linewise.report.charts.depth import MOST_CLASSES, _ticks, classes_chart, knowledge_charts, turns_chart
from studies import make_study

ERRORS = {"lstm": 0.2, "gru": 0.15, "cnn": 0.1}


def analysed(path: Path) -> tuple[Summary, Depth, list[str]]:
    summary = summarise(StudyFolder.open(path))
    assert summary.depth is not None
    return summary, summary.depth, summary.evidence.spec.data.class_names


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(tmp_path_factory.mktemp("study"), errors=ERRORS, seeds=2, readers=("lstm", "gru"))


def drawn(chart: Chart) -> str:
    assert vl_convert.vegalite_to_vega(chart.for_page())
    return vl_convert.vegalite_to_svg(chart.for_files())


def marks(svg: str, kind: str) -> int:
    return len(re.findall(rf'aria-roledescription="{kind}"', svg))


def test_curves_have_a_point_per_step_and_network_and_end_with_the_networks_accuracy(study: Path) -> None:
    summary, found, _ = analysed(study)
    accuracy, settled = knowledge_charts(found, Looks(summary))
    rows = accuracy.spec["data"]["values"]
    assert sorted((row["network"], row["at"]) for row in rows) == [
        (label, step) for label in ("gru", "lstm") for step in range(1, 9)
    ]
    last = {row["network"]: row["accuracy"] for row in rows if row["at"] == 8}
    runs = StudyFolder.open(study).runs()
    for label, value in last.items():
        found_S = [run.record.test_accuracy for run in runs if run.label == label and run.record.test_accuracy]
        assert len(found_S) == 2
        assert value == pytest.approx(50 * sum(found_S))
    assert all(row["low"] <= row["accuracy"] <= row["high"] for row in rows)
    assert all(row["settled"] == 100 for row in rows if row["at"] == 8)
    for label in last:
        shares = [row["settled"] for row in rows if row["network"] == label]
        assert shares == sorted(shares)
    for chart, title in ((accuracy, "test accuracy, %"), (settled, "answers that do not change any more, %")):
        svg = drawn(chart)
        assert title in svg
        assert "read, steps of 8" in svg
        assert ">lstm<" in svg
        assert ">gru<" in svg
        assert ">cnn<" not in svg
        assert marks(svg, "line mark") == 2
        assert "400 test images, 2 seeds" in chart.caption


def test_the_deepest_class_comes_first(study: Path) -> None:
    summary, found, names = analysed(study)
    chart = classes_chart(found, names, Looks(summary))
    order = chart.spec["layer"][0]["encoding"]["y"]["sort"]
    labels_N = summary.evidence.labels_N
    mean_K = [np.mean([r.depth_SN[:, labels_N == k].mean() for r in found.readers]) for k in range(10)]
    assert order == [names[k] for k in np.argsort(-np.array(mean_K), kind="stable")]
    assert "deepest of" not in chart.caption
    svg = drawn(chart)
    assert "reading depth, steps of 8" in svg
    assert marks(svg, "point") == marks(svg, "rule mark") == 2 * 10


def test_of_many_classes_the_forty_deepest_are_shown(tmp_path: Path) -> None:
    names = [f"class {k}" for k in range(50)]
    path = make_study(tmp_path, errors=ERRORS, seeds=1, num_test=500, class_names=names, readers=("lstm", "gru"))
    summary, found, names = analysed(path)
    chart = classes_chart(found, names, Looks(summary))
    rows = chart.spec["data"]["values"]
    labels_N = summary.evidence.labels_N
    means = {names[k]: np.mean([r.depth_SN[:, labels_N == k].mean() for r in found.readers]) for k in range(50)}
    shown = {row["class"] for row in rows}
    assert len(shown) == MOST_CLASSES == 40
    assert min(means[name] for name in shown) >= max(means[name] for name in means.keys() - shown)
    assert len(rows) == 80
    assert chart.caption.endswith("The 40 deepest of 50 classes.")
    assert marks(drawn(chart), "point") == 80


def test_turns_are_bars_up_and_down_as_many_as_were_counted(study: Path) -> None:
    _, found, names = analysed(study)
    chart = turns_chart(found, names)
    assert chart is not None
    rows = chart.spec["data"]["values"]
    titles = [f"{names[pair.first]} and {names[pair.second]}" for pair in found.pairs]
    assert list(dict.fromkeys(row["pair"] for row in rows)) == titles
    for pair, title in zip(found.pairs, titles, strict=True):
        for to, counts_T, sign in (("right", pair.to_right_T, 1), ("wrong", pair.to_wrong_T, -1)):
            of_pair = {
                r["step"]: r["count"] for r in rows if (r["pair"], r["to"]) == (title, f"to the {to} class")
            }
            assert of_pair == {t + 1: sign * int(n) for t, n in enumerate(counts_T) if n}
    assert all(row["shown"] == abs(row["count"]) > 0 for row in rows)
    svg = drawn(chart)
    assert marks(svg, "bar") == len(rows) > 20
    assert all(f">{title}<" in svg for title in titles)
    assert "step of 8" in svg
    assert chart.caption.startswith(f"{found.main.label}, 2 seeds: ")


def test_ticks_of_turns_are_powers_of_ten_on_both_sides_and_told_without_a_sign(study: Path) -> None:
    _, found, names = analysed(study)
    chart = turns_chart(found, names)
    assert chart is not None
    y = chart.spec["spec"]["layer"][0]["encoding"]["y"]
    most = max(abs(row["count"]) for row in chart.spec["data"]["values"])
    assert y["scale"] == {"type": "symlog", "domain": [-most, most]}
    assert y["axis"]["values"] == _ticks(most)
    svg = drawn(chart)
    shown = set(re.findall(r">(-?−?\d+)</text>", svg))
    assert {str(abs(tick)) for tick in _ticks(most)} <= shown
    assert not any(text.startswith(("-", "−")) for text in shown)


@pytest.mark.parametrize(
    ("most", "ticks"),
    [
        (1, [-1, 0, 1]),
        (9, [-1, 0, 1]),
        (10, [-10, -1, 0, 1, 10]),
        (99, [-10, -1, 0, 1, 10]),
        (100, [-100, -10, 0, 10, 100]),
        (2500, [-1000, -100, -10, 0, 10, 100, 1000]),
    ],
)
def test_ticks(most: int, ticks: list[int]) -> None:
    assert _ticks(most) == ticks


def test_without_a_turn_there_is_no_chart_of_turns(tmp_path: Path) -> None:
    path = make_study(tmp_path, errors={"lstm": 0.0, "cnn": 0.1}, seeds=1, readers=("lstm",))
    _, found, names = analysed(path)
    assert found.pairs == []
    assert turns_chart(found, names) is None


def test_class_names_with_signs_of_html_stay_text_in_the_charts(tmp_path: Path) -> None:
    names = ["<script>alert(1)</script>", 'a "b" & c', "</text><image href='x'/>", "=1", "猫"]
    path = make_study(tmp_path, errors=ERRORS, seeds=1, class_names=names, readers=("lstm",))
    summary, found, names = analysed(path)
    turns = turns_chart(found, names)
    assert turns is not None
    for chart in (turns, classes_chart(found, names, Looks(summary))):
        svg = drawn(chart)
        assert "<script" not in svg
        assert "<image" not in svg
        assert "&lt;script&gt;alert(1)" in svg
        assert "猫" in svg

"""The section on every pair of networks, against statsmodels and plain counting, on studies of known kind."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import cochrans_q
from statsmodels.stats.multitest import multipletests

from linewise.analysis import Summary, summarise
from linewise.analysis.intervals import difference
from linewise.analysis.statistics.power import smallest_visible
from linewise.foundations.folder import StudyFolder
from linewise.report import build
from linewise.report.charts.chart import Looks
from linewise.report.sections.panel import section
from linewise.report.sections.section import Section
from studies import make_study

ERRORS = {"lstm": 0.08, "gru": 0.07, "cnn": 0.03, "linear": 0.15}


def made(path: Path) -> tuple[Summary, Section]:
    summary = summarise(StudyFolder.open(path))
    found = section(summary, Looks(summary), None)
    assert found is not None
    return summary, found


def shown(path: Path) -> str:
    """The section of the page, tags and line breaks gone."""
    source = build(path, figures=False).read_text(encoding="utf-8")
    inside = source.split('<section id="panel">')[1].split("</section>")[0]
    return " ".join(re.sub(r"<[^>]*>", " ", inside.replace("<wbr>", "")).split())


def correct(summary: Summary) -> dict[str, np.ndarray]:
    found = {n.label: n.correct_SN("test") for n in summary.evidence.networks}
    return {label: correct_SN for label, correct_SN in found.items() if correct_SN is not None}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(tmp_path_factory.mktemp("study"), errors=ERRORS, seeds=3)


@pytest.fixture(scope="module")
def words(study: Path) -> str:
    return shown(study)


def test_every_pair_is_in_the_page_once_with_difference_and_interval(study: Path, words: str) -> None:
    runs = correct(made(study)[0])
    for first, second in combinations(ERRORS, 2):
        gap = difference(runs[first], runs[second])
        estimate = 100 * (runs[first].mean() - runs[second].mean())
        row = f"{first} {second} {estimate:+.2f} {100 * gap.low:+.2f} to {100 * gap.high:+.2f}"
        assert words.count(row) == 1


def test_p_is_corrected_over_all_pairs_as_statsmodels_does(study: Path) -> None:
    pairs = made(study)[1].json["pairs"]
    expected = multipletests([pair["p"] for pair in pairs], method="holm")[1]
    assert [pair["p_holm"] for pair in pairs] == pytest.approx(expected.tolist())
    assert {pair["num_pairs"] for pair in pairs} == {6}


def test_verdicts_name_the_network_that_has_fewer_errors(study: Path, words: str) -> None:
    pairs = {(pair["first"], pair["second"]): pair for pair in made(study)[1].json["pairs"]}
    assert pairs["cnn", "linear"]["verdict"] == "first better"
    assert pairs["lstm", "cnn"]["verdict"] == "second better"
    assert pairs["lstm", "gru"]["verdict"] == "no difference shown"
    assert words.count("cnn is better") == sum(
        pair["verdict"] == ("first better" if first == "cnn" else "second better")
        for (first, second), pair in pairs.items()
        if "cnn" in (first, second)
    )
    assert pairs["lstm", "gru"]["text"].startswith("No difference between lstm and gru was shown")


def test_cochrans_q_is_that_of_statsmodels_run_by_run(study: Path, words: str) -> None:
    summary, found = made(study)
    runs = correct(summary)
    assert len(found.json["cochran"]) == 3
    for run, test in enumerate(found.json["cochran"]):
        expected = cochrans_q(np.stack([correct_SN[run] for correct_SN in runs.values()], axis=1).astype(int))
        assert (test["q"], test["p"]) == pytest.approx((expected.statistic, expected.pvalue))
        assert f"Q = {expected.statistic:.1f}" in words
    assert "(3 degrees of freedom)" in words


def test_the_smallest_visible_difference_is_that_of_the_networks_of_the_answer(study: Path, words: str) -> None:
    summary, found = made(study)
    runs, answer = correct(summary), summary.conclusion
    smallest = smallest_visible(runs[answer.recurrent], runs[answer.convolutional])
    assert smallest is not None
    assert found.json["sight"]["smallest"] == smallest
    assert answer.difference is not None
    assert found.json["sight"]["observed"]["estimate"] == answer.difference.estimate
    assert f"a difference of {100 * smallest:.2f} points would have been found four times in five" in words
    assert f"{100 * answer.difference.estimate:.2f}, as observed" in words


def test_what_is_needed_turns_where_the_difference_is_the_smallest_visible_one(study: Path) -> None:
    """Differences above the smallest visible one need no more seeds than there are, those below need more."""
    sight = made(study)[1].json["sight"]
    assert [asked["difference"] for asked in sight["asked"]][1:] == [0.01, 0.005, 0.002, 0.001]
    for asked in sight["asked"]:
        for most, have in ((asked["seeds"], 3), (asked["images"], 400)):
            assert (most is not None and most <= have) == (asked["difference"] >= sight["smallest"])


def test_one_seed_gives_a_reason_and_no_p(tmp_path: Path) -> None:
    path = make_study(tmp_path, seeds=1)
    words, pairs = shown(path), made(path)[1].json["pairs"]
    assert {pair["verdict"] for pair in pairs} == {"too few seeds"}
    assert {pair["p_holm"] for pair in pairs} == {None}
    assert words.count("both networks have one seed, so how much seeds matter is not known") == 6
    assert "0 of 6 pairs tested" in words
    assert "cannot be said: with one seed it is not known how much seeds matter" in words
    assert "as observed" not in words


def test_networks_without_answers_are_named(tmp_path: Path) -> None:
    path = make_study(tmp_path, errors={"lstm": 0.1, "cnn": 0.1}, seeds=1, diverged=("cnn", 0))
    summary = summarise(StudyFolder.open(path))
    assert section(summary, Looks(summary), None) is None
    path = make_study(tmp_path / "more", errors={**ERRORS, "vit": 0.1}, seeds=1, diverged=("vit", 0))
    words = shown(path)
    assert "not compared: vit" in words
    assert "vit" not in made(path)[1].json["networks"]


def test_one_family_has_pairs_and_no_power_between_families(tmp_path: Path) -> None:
    path = make_study(tmp_path, errors={"lstm": 0.1, "gru": 0.1})
    assert made(path)[1].json["sight"] is None
    words = shown(path)
    assert "What this study could see" not in words
    assert "Cochran" not in words


def test_the_data_are_in_results_json(study: Path, words: str) -> None:
    written = json.loads((study / "report" / "results.json").read_text())["panel"]
    assert written == json.loads(json.dumps(made(study)[1].json))
    assert written["split"] == "test"
    assert "400 test images; 6 of 6 pairs tested" in words

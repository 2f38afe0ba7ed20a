"""The section on reading depth: its figures counted again from the records' raw arrays, and its words."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linewise.analysis import Summary, summarise
from linewise.foundations.folder import StudyFolder
from linewise.images import SplitOptions, load
from linewise.report import build
from linewise.report.charts.chart import Looks
from linewise.report.pictures import pictures
from linewise.report.sections.depth import LISTED, section
from linewise.report.sections.section import Section
from linewise.study.comparison import run_study
from linewise.study.config import make_config
from linewise.study.executors import InProcess
from studies import make_study

READERS = {"lstm": 8, "gru@rows-outwards": 4}
"""Network → steps."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("studies") / "digits"
    digits = load("digits", splits=SplitOptions(images=300))
    config = make_config(models=[*READERS, "cnn"], seeds=2, epochs=2, budget=3000, read_along=0.5)
    run_study(digits, config, path, InProcess())
    build(path, figures=False)
    return path


def made(path: Path) -> tuple[Summary, Section]:
    summary = summarise(StudyFolder.open(path))
    found = section(summary, Looks(summary), pictures(summary.evidence))
    assert found is not None
    return summary, found


def results(path: Path) -> dict[str, Any]:
    return json.loads((path / "report" / "results.json").read_text())["depth"]


def source(path: Path) -> str:
    page = (path / "report" / "index.html").read_text(encoding="utf-8")
    return page.split('<section id="depth">')[1].split("</section>")[0]


def words(path: Path) -> str:
    """The section of the page, tags and line breaks gone."""
    return " ".join(re.sub(r"<[^>]*>", " ", source(path).replace("<wbr>", "")).split())


class Run:
    """Raw arrays of a run, and depths counted from the end of each reading."""

    def __init__(self, path: Path) -> None:
        with np.load(path / "steps.npz") as arrays:
            self.answers_NT = arrays["test_answers"].astype(int)
            self.first_N, self.last_N = (arrays[f"test_{k}_ink"].astype(int) for k in ("first", "last"))
        with np.load(path / "predictions.npz") as arrays:
            self.labels_N, self.predicted_N = (arrays[f"test_{k}"].astype(int) for k in ("labels", "predicted"))
        depths = []
        for answers in self.answers_NT.tolist():
            depth = len(answers)
            while depth > 1 and answers[depth - 2] == answers[-1]:
                depth -= 1
            depths.append(depth)
        self.depth_N = np.array(depths)
        self.right_N = self.predicted_N == self.labels_N

    def turns(self, first: int, second: int) -> list[tuple[bool, int | None]]:
        """For each answer of the pair: whether it is right, and the step of its last turn."""
        both, found = {first, second}, []
        for label, answers in zip(self.labels_N.tolist(), self.answers_NT.tolist(), strict=True):
            if {label, answers[-1]} <= both:
                steps = [(t, a) for t, a in enumerate(answers, start=1) if a in both]
                change = [t for (_, a), (t, b) in pairwise(steps) if a != b]
                found.append((label == answers[-1], change[-1] if change else None))
        return found


def runs(path: Path, label: str) -> list[Run]:
    return [Run(path / "runs" / f"{label}-{seed}") for seed in range(2)]


@pytest.mark.parametrize("label", READERS)
def test_the_figures_are_those_counted_from_the_arrays(study: Path, label: str) -> None:
    found, counted = results(study)["readers"][label], runs(study, label)
    depth_SN = np.stack([run.depth_N for run in counted])
    right_SN = np.stack([run.right_N for run in counted])
    inked_SN = np.stack([np.maximum(0, run.depth_N - (run.first_N - 1)) for run in counted])
    length_N = counted[0].last_N - counted[0].first_N + 1
    assert found["num_steps"] == READERS[label] == depth_SN.max()
    assert found["depth"]["estimate"] == pytest.approx(depth_SN.mean())
    assert found["depth"]["low"] < depth_SN.mean() < found["depth"]["high"]
    assert (found["depth"]["num_images"], found["depth"]["num_seeds"]) == (depth_SN.shape[1], 2)
    assert found["inked"]["estimate"] == pytest.approx(inked_SN.mean())
    assert found["share"]["estimate"] == pytest.approx((inked_SN / length_N).mean())
    assert found["right"]["estimate"] == pytest.approx(depth_SN[right_SN].mean())
    assert found["wrong"]["estimate"] == pytest.approx(depth_SN[~right_SN].mean())
    labels_N = counted[0].labels_N
    assert list(found["classes"]) == [str(k) for k in range(10)]
    for k in range(10):
        of_class = found["classes"][str(k)]
        assert of_class["estimate"] == pytest.approx(depth_SN[:, labels_N == k].mean())
        assert of_class["num_images"] == (labels_N == k).sum()
    assert [point["step"] for point in found["curve"]] == list(range(1, READERS[label] + 1))
    for point in found["curve"]:
        t = point["step"] - 1
        share = np.mean([(run.answers_NT[:, t] == labels_N).mean() for run in counted])
        assert point["accuracy"]["estimate"] == pytest.approx(share)
        stays = np.mean([(run.answers_NT[:, t:] == run.answers_NT[:, -1:]).all(axis=1).mean() for run in counted])
        assert point["settled"] == pytest.approx(stays)


def test_the_reader_best_on_validation_images_stands_for_all(study: Path) -> None:
    validated = {
        label: np.mean(
            [
                json.loads((study / "runs" / f"{label}-{s}" / "run.json").read_text())["validation_accuracy"]
                for s in (0, 1)
            ]
        )
        for label in READERS
    }
    assert results(study)["main"] == max(validated, key=lambda label: validated[label])


def test_pairs_are_those_confused_most_and_their_turns_are_counted(study: Path) -> None:
    found = results(study)
    counted = runs(study, found["main"])
    confused: dict[tuple[int, int], int] = {}
    for run in counted:
        for a, b in zip(run.labels_N.tolist(), run.predicted_N.tolist(), strict=True):
            if a != b:
                confused[min(a, b), max(a, b)] = confused.get((min(a, b), max(a, b)), 0) + 1
    most = sorted(confused.items(), key=lambda entry: (-entry[1], entry[0]))[:6]
    assert [(pair["classes"], pair["num_confused"]) for pair in found["pairs"]] == [
        ([str(a), str(b)], count) for (a, b), count in most
    ]
    shown = words(study)
    for pair in found["pairs"]:
        first, second = map(int, pair["classes"])
        turns = [turn for run in counted for turn in run.turns(first, second)]
        for key, right in (("to_right", True), ("to_wrong", False)):
            steps = [step for found_right, step in turns if found_right == right]
            assert pair[key] == [steps.count(step) for step in pair["steps"]]
            at_once = pair["num_right_at_once" if right else "num_wrong_at_once"]
            assert at_once == steps.count(None)
        assert pair["num_lost"] == sum(pair["to_wrong"]) == pair["num_confused"] - pair["num_wrong_at_once"]
        row = f"{first} and {second} {pair['num_confused']} {pair['num_lost']} {pair['num_wrong_at_once']}"
        assert row in shown


def test_the_page_says_what_results_json_says(study: Path) -> None:
    found, shown = results(study), words(study)
    main = found["readers"][found["main"]]
    depth, steps = main["depth"], main["num_steps"]
    assert (
        f"The answer of {found['main']} is final after {depth['estimate']:.1f} of {steps} steps on average (95 % "
        f"interval {depth['low']:.1f} to {depth['high']:.1f}; n = {depth['num_images']:,} test images, 2 seeds ): "
        f"{main['right']['estimate']:.1f} where it is right, {main['wrong']['estimate']:.1f} where it is wrong."
    ).replace(" )", ")") in shown.replace(" )", ")")
    for label, reader in found["readers"].items():
        cells = " ".join(
            f"{reader[key]['estimate']:.1f} {reader[key]['low']:.1f}–{reader[key]['high']:.1f}"
            for key in ("depth", "inked")
        )
        assert f"{label} {reader['num_steps']} {cells}" in shown
    assert "Means with 95 % intervals over images and seeds." in shown
    assert "trained with a loss after the steps too" in shown
    assert results(study) == json.loads(json.dumps(made(study)[1].json))


def test_readings_of_other_lengths_are_compared_in_percent(study: Path) -> None:
    _, found = made(study)
    charts = {chart.name: chart for chart in found.charts}
    assert list(charts) == ["depth-accuracy", "depth-settled", "depth-classes", "depth-turns"]
    curve = charts["depth-settled"].spec
    assert curve["encoding"]["x"]["title"] == "read, % of the reading"
    at = {label: [r["at"] for r in curve["data"]["values"] if r["network"] == label] for label in READERS}
    assert at == {"lstm": [12.5 * t for t in range(1, 9)], "gru@rows-outwards": [25, 50, 75, 100]}
    classes = charts["depth-classes"].spec
    assert classes["layer"][0]["encoding"]["x"]["title"] == "reading depth, % of the reading"
    means = {(r["network"], r["class"]): r["mean"] for r in classes["data"]["values"]}
    for label, steps in READERS.items():
        for name, depth in results(study)["readers"][label]["classes"].items():
            assert means[label, name] == pytest.approx(100 * depth["estimate"] / steps)
    main = results(study)["main"]
    assert f"step of {READERS[main]}" in json.dumps(charts["depth-turns"].spec)


def test_readings_of_one_length_are_counted_in_steps(tmp_path: Path) -> None:
    _, found = made(make_study(tmp_path, readers=("lstm", "gru")))
    titles = re.findall(r'"title": "((?:read|reading depth), .*?)"', json.dumps([c.spec for c in found.charts]))
    assert set(titles) == {"read, steps of 8", "reading depth, steps of 8"}


def test_images_read_deepest_and_least(study: Path) -> None:
    summary, found = made(study)
    share_N = np.mean(
        [np.mean([r.depth_N for r in runs(study, k)], axis=0) / n for k, n in READERS.items()], axis=0
    )
    shown = pictures(summary.evidence)
    assert shown is not None
    ranked = sorted(shown.indices_G.tolist(), key=lambda index: share_N[index])
    for key, expected in (("deepest", ranked[::-1][:LISTED]), ("shallowest", ranked[:LISTED])):
        told = [int(re.findall(r"test image (\d+)", image.told)[0]) for image in found.data[key]]
        assert len(told) == LISTED
        assert sorted(share_N[told]) == pytest.approx(sorted(share_N[expected]))
        assert [image.votes[0] for image in found.data[key]] == [str(summary.evidence.labels_N[i]) for i in told]
        percents = [int(image.votes[1].removesuffix(" % read")) for image in found.data[key]]
        assert percents == pytest.approx([100 * share_N[index] for index in told], abs=0.51)


def test_films_stand_in_the_page(study: Path) -> None:
    _, found = made(study)
    films = [film for entry in found.data["films"] for film in entry.films]
    assert films
    inside = source(study)
    assert inside.count('<figure class="film"') == len(films)
    for film in films:
        assert film.strip in inside
        assert str(film.bars) in inside
        assert f"(no. {film.index})" in inside


def test_one_seed_is_one_seed(tmp_path: Path) -> None:
    path = make_study(tmp_path, seeds=1, readers=("lstm",))
    build(path, figures=False)
    shown = words(path)
    assert "n = 400 test images, 1 seed)" in shown
    assert "over images." in shown
    assert "over images and seeds." not in shown
    assert "1 seeds" not in source(path)
    assert "(400 test images, 1 seed)" in shown
    assert "lstm, 1 seed: the step in which" in shown
    assert "trained with a loss at the end alone; with --read-along" in shown


def test_before_the_test_validation_images_are_spoken_of(tmp_path: Path) -> None:
    path = make_study(tmp_path, tested=False, readers=("lstm",))
    build(path, figures=False)
    shown = words(path)
    assert results(path)["split"] == "validation"
    assert "n = 300 validation images, 3 seeds)" in shown
    assert "As it is read" not in shown
    assert "Read deepest, and least" not in shown


def test_without_a_reader_there_is_no_section(tmp_path: Path) -> None:
    path = make_study(tmp_path, errors={"cnn": 0.05, "linear": 0.1})
    summary = summarise(StudyFolder.open(path))
    assert section(summary, Looks(summary), pictures(summary.evidence)) is None
    page = build(path, figures=False).read_text(encoding="utf-8")
    assert 'id="depth"' not in page
    assert 'href="#depth"' not in page
    assert "depth" not in json.loads((path / "report" / "results.json").read_text())


def test_a_reader_without_a_mistake_has_no_depth_where_wrong(tmp_path: Path) -> None:
    path = make_study(tmp_path, errors={"lstm": 0.0, "cnn": 0.1}, readers=("lstm",))
    build(path, figures=False)
    found = results(path)
    assert found["readers"]["lstm"]["wrong"] is None
    assert found["pairs"] == []
    shown = words(path)
    assert "where it is wrong" not in shown
    assert "Confusions in time" not in shown


class Elements(HTMLParser):
    """What a browser would make of a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.labels: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.labels += [value for name, value in attrs if name == "aria-label" and value]
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_class_names_with_signs_of_html_are_text_everywhere(tmp_path: Path) -> None:
    names = ["<script>alert(1)</script>", 'a" onload="alert(2)', "</svg><iframe src=x>", "=1", "a & b"]
    path = make_study(tmp_path, errors={"lstm": 0.3, "cnn": 0.1}, seeds=1, class_names=names, readers=("lstm",))
    build(path, figures=False)
    found = Elements(source(path))
    assert not {"script", "iframe"} & found.tags
    drawings = [label for label in found.labels if label.startswith("probability of ")]
    assert len(drawings) >= 6
    for name in names:
        assert any(name in label for label in drawings)
        assert name in found.text
    specs = json.dumps([chart.spec for chart in made(path)[1].charts], ensure_ascii=False)
    assert all(json.dumps(name)[1:-1] in specs for name in names)
    assert {name for pair in results(path)["pairs"] for name in pair["classes"]} <= set(names)
    assert "<script>alert" not in (path / "report" / "index.html").read_text(encoding="utf-8")

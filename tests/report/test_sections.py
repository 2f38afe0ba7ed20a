"""Sections on overlapping mistakes and easy images: their numbers, their pictures, their data."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from linewise.analysis import Summary, summarise
from linewise.foundations.folder import StudyFolder
from linewise.report import build
from linewise.report.charts.chart import Looks
from linewise.report.galleries import EASIEST, HARDEST, IMAGES_PER_PAIR
from linewise.report.pictures import pictures
from linewise.report.sections import sections
from linewise.report.sections.section import Section
from studies import make_study

ERRORS = {"lstm": 0.2, "gru": 0.15, "cnn": 0.05, "linear": 0.3}


def made(path: Path) -> tuple[Summary, dict[str, Section]]:
    summary = summarise(StudyFolder.open(path))
    return summary, {s.id: s for s in sections(summary, Looks(summary), pictures(summary.evidence))}


def part(source: str, name: str) -> str:
    return source.split(f'<section id="{name}">')[1].split("</section>")[0]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = make_study(tmp_path_factory.mktemp("study"), errors=ERRORS, seeds=4)
    build(path, figures=False)
    return path


def test_the_page_and_the_data_say_what_the_analysis_says(study: Path) -> None:
    summary, _ = made(study)
    source = (study / "report" / "index.html").read_text(encoding="utf-8")
    results = json.loads((study / "report" / "results.json").read_text())
    assert summary.overlap is not None
    assert summary.ensembles is not None
    assert summary.class_pairs is not None
    assert summary.difficulty is not None
    assert summary.overlap.sentence in part(source, "overlap")
    assert summary.overlap.of_families in part(source, "overlap")
    assert f"{100 * summary.ensembles.mixed.estimate:.2f}" in part(source, "overlap")
    assert summary.difficulty.shares.sentence in part(source, "difficulty")
    overlap, difficulty = results["overlap"], results["difficulty"]
    assert overlap["verdict"] == summary.overlap.verdict
    assert overlap["ensembles"]["mixed"]["estimate"] == summary.ensembles.mixed.estimate
    assert len(overlap["class_pairs"]["unordered"]) == len(summary.class_pairs.unordered)
    assert overlap["networks"]["labels"] == list(ERRORS)
    assert difficulty["shares"]["by_all"]["estimate"] == summary.difficulty.shares.by_all.estimate
    assert [p["name"] for p in difficulty["parts"]] == ["easy", "hard"]


def test_a_test_that_cannot_reach_significance_gives_no_p(tmp_path: Path) -> None:
    path = build(make_study(tmp_path, seeds=3), figures=False)
    results = json.loads((tmp_path / "report" / "results.json").read_text())
    assert results["overlap"]["verdict"] == "too few seeds"
    assert results["overlap"]["tests"]["networks"]["p"] is None
    assert "permutation test" not in part(path.read_text(encoding="utf-8"), "overlap")


def test_charts_show_every_pair_of_runs_and_the_noise_floor(study: Path) -> None:
    summary, found = made(study)
    assert summary.overlap is not None
    charts = {chart.name: chart for chart in found["overlap"].charts}
    assert set(charts) == {"overlap-kinds", "overlap-networks", "ensemble-gains", "class-pair-differences"}
    layers = [layer["data"]["values"] for layer in charts["overlap-kinds"].spec["layer"]]
    dots = next(rows for rows in layers if "jitter" in rows[0])
    assert len(dots) == sum(kind.num_pairs for kind in summary.overlap.kinds) == 2 * 6 + 6 + 16 + 32
    floor = next(rows for rows in layers if "text" in rows[0])
    assert floor[0]["kappa"] == summary.overlap.floor
    assert sum(row["compared"] for row in dots) == 6 + 6 + 16


def test_images_of_a_pair_are_of_its_classes(study: Path) -> None:
    _, found = made(study)
    shown = found["overlap"].data["pairs"]
    assert shown
    for pair, images, count in shown:
        assert len(images) == min(count, IMAGES_PER_PAIR) > 0
        for image in images:
            assert {image.true, image.answered} == {str(pair.first), str(pair.second)}
            votes = [int(re.findall(r"(\d+)/", vote)[0]) for vote in image.votes]
            assert sum(votes) > 0


def test_the_hardest_images_come_first_and_the_easiest_are_right_everywhere(study: Path) -> None:
    summary, found = made(study)
    assert summary.difficulty is not None
    wrong_N = summary.difficulty.wrong_N
    rankings = found["difficulty"].data["rankings"]
    assert len(rankings) == 10
    for shown in rankings:
        assert 0 < len(shown.hardest) <= HARDEST
        assert len(shown.easiest) <= EASIEST
        for images, kind in ((shown.hardest, "hardest"), (shown.easiest, "easiest")):
            indices = [int(re.findall(r"test image (\d+)", image.told)[0]) for image in images]
            assert all(image.true == str(shown.ranking.label) for image in images)
            if kind == "hardest":
                assert indices == shown.ranking.hardest[: len(indices)].tolist()
                assert all(image.votes[0].endswith("/12 wrong") for image in images)  # the control has no vote
            else:
                assert all(wrong_N[i] == 0 for i in indices)
                assert all(image.votes == ["0/12 wrong"] for image in images)


def test_without_mistakes_nothing_is_drawn_of_them(tmp_path: Path) -> None:
    path = make_study(tmp_path, errors={"lstm": 0.0, "cnn": 0.0}, seeds=2)
    _, found = made(path)
    assert [chart.name for chart in found["overlap"].charts] == ["ensemble-gains"]
    assert "hardly a mistake" in part(build(path, figures=False).read_text(encoding="utf-8"), "overlap")


def test_one_family_has_no_overlap_but_a_difficulty(tmp_path: Path) -> None:
    _, found = made(make_study(tmp_path, errors={"lstm": 0.1}))
    assert list(found) == ["difficulty"]


def test_one_seed_says_that_it_cannot_be_judged(tmp_path: Path) -> None:
    path = build(make_study(tmp_path, seeds=1), figures=False)
    assert "With one seed this cannot be judged" in part(path.read_text(encoding="utf-8"), "difficulty")


def test_before_the_test_validation_images_are_spoken_of(tmp_path: Path) -> None:
    source = build(make_study(tmp_path, tested=False), figures=False).read_text(encoding="utf-8")
    assert "300 validation images" in part(source, "overlap")
    assert "The test set has not been opened yet." in part(source, "difficulty")


def test_many_runs_are_shown_as_pairs_of_networks(tmp_path: Path) -> None:
    errors = {"lstm": 0.1, "gru": 0.1, "cnn": 0.1}
    summary, found = made(make_study(tmp_path, errors=errors, seeds=18, num_test=200))
    assert summary.overlap is not None
    assert sum(kind.num_pairs for kind in summary.overlap.kinds) > 1_200
    chart = next(c for c in found["overlap"].charts if c.name == "overlap-kinds")
    dots = next(v for layer in chart.spec["layer"] if "jitter" in (v := layer["data"]["values"])[0])
    assert len(dots) == 2 + 1 + 1 + 2  # two seeds of each reader, of the cnn, two readers, one of each

"""Verdicts: each way a claim may fall, and the warnings that go with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from linewise.analysis import summarise
from linewise.analysis.verdicts.claim import Claim, by_interval
from linewise.foundations.folder import StudyFolder
from linewise.report import build
from studies import add_tuning, make_study


def claims(path: Path) -> dict[str, Claim]:
    return {claim.id: claim for claim in summarise(StudyFolder(path)).verdicts.claims}


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [
        ({"lstm": 0.20, "cnn": 0.02}, "supported"),
        ({"lstm": 0.02, "cnn": 0.20}, "not supported"),
        ({"lstm": 0.05, "cnn": 0.05}, "not decided"),
    ],
)
def test_whether_convolutional_networks_are_better(tmp_path: Path, errors: dict[str, float], verdict: str) -> None:
    claim = claims(make_study(tmp_path, errors=errors))["convolutional-better"]
    assert claim.verdict == verdict
    assert "400 test images, 3 seeds each" in claim.sentence
    assert ("no difference shown" in claim.sentence) == (verdict == "not decided")


@pytest.mark.parametrize(("error", "verdict"), [(0.1, "supported"), (1.5, "not supported")])
def test_whether_recurrent_networks_recognise_images(tmp_path: Path, error: float, verdict: str) -> None:
    path = make_study(tmp_path, errors={"lstm": error, "cnn": 0.05}, num_test=2000)
    assert claims(path)["recognise"].verdict == verdict


@pytest.mark.parametrize(("error", "verdict"), [(0.0, "supported"), (0.1, "not supported")])
def test_whether_images_are_easy(tmp_path: Path, error: float, verdict: str) -> None:
    claim = claims(make_study(tmp_path, errors={"lstm": error, "cnn": error}))["easy"]
    assert claim.verdict == verdict
    assert "Every one of 6 runs" in claim.sentence


def test_an_interval_around_the_bar_decides_nothing() -> None:
    assert [by_interval(*ends, 0.5) for ends in [(0.6, 0.7), (0.3, 0.4), (0.4, 0.6)]] == [
        "supported",
        "not supported",
        "not decided",
    ]


def test_nothing_is_said_about_speed_without_alternation(tmp_path: Path) -> None:
    assert "faster" not in claims(make_study(tmp_path))


def test_warnings_are_coded(tmp_path: Path) -> None:
    path = make_study(tmp_path, diverged=("lstm", 1))
    codes = [warned.code for warned in summarise(StudyFolder(path)).verdicts.warnings]
    assert codes == ["few-seeds", "diverged-runs", "untuned"]


@pytest.mark.parametrize(
    ("trials", "told"),
    [
        ({"lstm": [0.9, None], "cnn": [0.9, 0.8]}, None),
        ({"lstm": [0.9, 0.8], "cnn": [None, None]}, "No trial finished of cnn"),
        ({"lstm": [None, None], "cnn": [None, None]}, "No trial finished of lstm, cnn"),
    ],
)
def test_a_tuning_that_chose_nothing_is_told(
    tmp_path: Path, trials: dict[str, list[float | None]], told: str | None
) -> None:
    path = add_tuning(make_study(tmp_path), trials)
    texts = [w.text for w in summarise(StudyFolder(path)).verdicts.warnings if w.code == "no-trial-finished"]
    assert texts == ([f"{told}; the final runs have the study's recipe, untuned."] if told else [])
    page = build(path, figures=False)
    found = [w["text"] for w in json.loads((page.parent / "verdict.json").read_text())["warnings"]]
    assert set(texts) <= set(found)


def test_trials_that_go_on_are_not_told_as_failed(tmp_path: Path) -> None:
    path = add_tuning(make_study(tmp_path), {"lstm": [None, None], "cnn": [0.9]}, complete=False)
    assert "no-trial-finished" not in [w.code for w in summarise(StudyFolder(path)).verdicts.warnings]


def test_the_file_of_verdicts_says_what_the_page_says(tmp_path: Path) -> None:
    page = build(make_study(tmp_path), figures=False)
    told = json.loads((page.parent / "verdict.json").read_text())
    assert told["schema_version"] == 1
    assert {c["id"] for c in told["claims"]} >= {"recognise", "convolutional-better", "hard-pairs", "easy"}
    text = page.read_text(encoding="utf-8")
    for claim in told["claims"]:
        assert f'id="claim-{claim["id"]}"' in text


def test_one_seed_decides_nothing_between_the_families(tmp_path: Path) -> None:
    path = make_study(tmp_path, errors={"lstm": 0.20, "cnn": 0.02}, seeds=1)
    found = claims(path)
    assert found["convolutional-better"].verdict == "not decided"
    assert found["convolutional-better"].sentence.endswith("; other seeds may say otherwise.")
    summary = summarise(StudyFolder(path))
    assert "Only one seed per network; intervals and tests speak of these runs, not of other seeds." in [
        warned.text for warned in summary.verdicts.warnings
    ]
    pairs = [*summary.class_pairs.ordered, *summary.class_pairs.unordered]
    assert pairs, "there is something to test"
    assert all(pair.p is None for pair in pairs)


def test_one_family_is_not_called_both(tmp_path: Path) -> None:
    found = claims(make_study(tmp_path, errors={"lstm": 0.05, "gru": 0.05}))
    assert "Every one of 6 runs recognises" in found["easy"].sentence

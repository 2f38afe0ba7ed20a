"""The page on the tuning: counts, choices, spaces, the chart, and the sentence about the recipe."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from linewise.analysis import summarise
from linewise.foundations.folder import StudyFolder
from linewise.report import build
from linewise.report.charts.chart import Looks
from linewise.report.sections import sections
from studies import add_tuning, make_study

FOUND = {"lstm": [0.80, None, 0.9, 0.85], "cnn": [0.95, 0.9, 0.97, None], "linear": [None, None, None, None]}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = make_study(tmp_path_factory.mktemp("study"), errors={"lstm": 0.1, "cnn": 0.05, "linear": 0.2})
    build(add_tuning(path, FOUND), figures=False)  # type: ignore[arg-type]
    return path


def page(study: Path) -> str:
    return (study / "report" / "index.html").read_text(encoding="utf-8")


def rows(study: Path) -> list[list[str]]:
    """Cells of the section's tables, without marks."""
    part = page(study).split('<section id="tuning">')[1].split("</section>")[0]
    return [
        [re.sub(r"<[^>]+>", " ", cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", part, flags=re.DOTALL)
    ]


def test_each_network_s_trials_are_counted_by_how_they_ended(study: Path) -> None:
    cells = {row[0]: row for row in rows(study)[1:4]}
    assert cells["lstm"][2:6] == ["4 of 4", "3", "1", "0"]
    assert cells["cnn"][2:6] == ["4 of 4", "3", "1", "0"]
    assert cells["linear"][2:6] == ["4 of 4", "0", "4", "0"]
    assert cells["lstm"][6].split() == ["80.00", "75.11–84.13"]
    assert cells["lstm"][8:] == ["+10.00", "6"]
    assert cells["linear"][6:9] == ["–", "–", "–"]


def test_choices_importances_and_spaces_are_shown(study: Path) -> None:
    tables = rows(study)
    assert tables[5][:3] == ["lstm", "3", "0.007  50 %"]
    assert tables[7] == ["linear", "none finished", "0.005", "–"]
    assert tables[9:] == [
        ["recurrent", "0.001 to 0.03 (logarithmic)", "0 to 0.5"],
        ["convolutional", "0.001 to 0.03 (logarithmic)", "0 to 0.5"],
        ["control", "0.001 to 0.03 (logarithmic)", "–"],
    ]


def test_a_network_of_which_no_trial_finished_is_told(study: Path, tmp_path: Path) -> None:
    def warned(folder: Path) -> list[str]:
        part = page(folder).split('<section id="tuning">')[1].split("</section>")[0]
        return re.findall(r'<p class="warning">(.*?)</p>', part)

    assert warned(study) == ["No trial finished of linear: its final runs have the study's recipe, untuned."]
    path = make_study(tmp_path)
    build(add_tuning(path, {"lstm": [0.8, None], "cnn": [None, 0.9]}), figures=False)
    assert warned(path) == []


def test_the_chart_draws_the_best_so_far(study: Path) -> None:
    summary = summarise(StudyFolder.open(study))
    (found,) = [s for s in sections(summary, Looks(summary), None) if s.id == "tuning"]
    (chart,) = found.charts
    dots, steps = (layer["data"]["values"] for layer in chart.spec["layer"])
    drawn = {(row["network"], row["trials"]): row["best"] for row in steps}
    assert [drawn["lstm", n] for n in (1, 2, 3, 4)] == ["80.00 %", "80.00 %", "90.00 %", "90.00 %"]
    assert [drawn["cnn", n] for n in (1, 2, 3, 4)] == ["95.00 %", "95.00 %", "97.00 %", "97.00 %"]
    assert "linear" not in {network for network, _ in drawn}
    assert len(dots) == 6
    assert chart.spec["layer"][1]["mark"]["interpolate"] == "step-after"


def test_results_hold_every_trial(study: Path) -> None:
    told = json.loads((study / "report" / "results.json").read_text())["tuning"]
    assert told["complete"] is True
    assert told["plan"] == {"trials": 4, "epochs": 2, "images": None, "seed_base": 1_000_000}
    assert {n["label"]: [t["validation_accuracy"] for t in n["trials"]] for n in told["networks"]} == FOUND
    assert told["total_s"] == 18


def test_the_protocol_says_whether_settings_were_chosen(study: Path, tmp_path: Path) -> None:
    assert "hyper-parameters were not tuned" not in page(study)
    assert "4 trials each, 2 epochs" in page(study)
    assert "settings of each network from 4 trials" in page(study)
    untuned = build(make_study(tmp_path), figures=False).read_text(encoding="utf-8")
    assert "hyper-parameters were not tuned per network" in untuned
    assert 'id="tuning"' not in untuned


def test_an_unfinished_tuning_without_runs_can_be_looked_at(tmp_path: Path) -> None:
    path = make_study(tmp_path, missing="all")
    add_tuning(path, {"lstm": [0.8, None], "cnn": [0.9]}, complete=False)
    source = build(path, figures=False).read_text(encoding="utf-8")
    assert "The trials have not all ended yet." in source
    assert rows(path)[2][2] == "1 of 2"

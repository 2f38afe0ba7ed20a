"""What trials show: running maxima, intervals, and spaces by family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from linewise.analysis import summarise
from linewise.analysis.tuning import so_far
from linewise.foundations.errors import DataError
from linewise.foundations.folder import StudyFolder
from linewise.foundations.tuning import TrialRecord, best_of
from studies import add_tuning, make_study


def trial(number: int, accuracy: float | None, loss: float = 1.0) -> TrialRecord:
    fields: dict[str, Any] = {"validation_accuracy": accuracy, "validation_loss": loss}
    status = "finished" if accuracy is not None else "diverged"
    return TrialRecord(number=number, seed=number, settings={}, status=status, **(fields if accuracy else {}))


def test_the_best_so_far_is_the_running_maximum() -> None:
    rng = np.random.default_rng(0)
    found = [None, None, *rng.random(20).tolist()]
    trials = [trial(n, accuracy) for n, accuracy in enumerate(found)]
    running = np.maximum.accumulate([a if a is not None else -np.inf for a in found])
    expected = [None if np.isinf(a) else a for a in running]
    assert so_far(trials) == expected
    assert so_far(trials[::-1]) == expected


@pytest.mark.parametrize(
    ("trials", "best"),
    [
        ([trial(0, 0.5, 1.0), trial(1, 0.6, 9.0)], 1),
        ([trial(0, 0.5, 1.0), trial(1, 0.5, 0.5)], 1),
        ([trial(0, 0.5, 1.0), trial(1, 0.5, 1.0)], 0),
        ([trial(0, None), trial(1, 0.1)], 1),
    ],
)
def test_accuracy_then_loss_then_number(trials: list[TrialRecord], best: int) -> None:
    assert best_of(trials) == best_of(trials[::-1]) == trials[best]
    assert best_of(trials[:0]) is None


def test_a_study_s_trials(tmp_path: Path) -> None:
    add_tuning(
        make_study(tmp_path), {"lstm": [0.8, 0.9, None], "cnn": [0.95, 0.9, 0.94], "linear": [None, None, None]}
    )
    tuning = summarise(StudyFolder.open(tmp_path)).tuning
    assert tuning is not None
    lstm, cnn, linear = tuning.networks
    assert (lstm.recipe and lstm.recipe.estimate, lstm.best and lstm.best.estimate) == (0.8, 0.9)
    assert lstm.gain == pytest.approx(0.1)
    assert cnn.gain == 0
    assert (linear.recipe, linear.best, linear.gain) == (None, None, None)
    assert lstm.best is not None
    expected = proportion_confint(270, 300, method="wilson")
    assert (lstm.best.low, lstm.best.high) == pytest.approx(expected)
    assert (lstm.best.num_images, lstm.best.num_seeds, lstm.best.covers_seeds) == (300, 1, False)
    assert tuning.dials == ["lr", "dropout"]
    assert {f: list(d) for f, d in tuning.spaces.items()} == {
        "recurrent": ["lr", "dropout"],
        "convolutional": ["lr", "dropout"],
        "control": ["lr"],
    }
    assert all(len(ranges) == 1 for dials in tuning.spaces.values() for ranges in dials.values())


def test_a_study_without_trials(tmp_path: Path) -> None:
    assert summarise(StudyFolder.open(make_study(tmp_path))).tuning is None


def test_a_damaged_record_is_told(tmp_path: Path) -> None:
    folder = add_tuning(make_study(tmp_path), {"lstm": [0.8], "cnn": [0.9]})
    path = folder / "tuning" / "tuning.json"
    path.write_text(path.read_text().replace('"seed": 1000000', '"seed": "x"', 1))
    with pytest.raises(DataError, match=r"tuning\.json: networks\.0\.trials\.0\.seed = 'x'"):
        StudyFolder.open(folder).tuning()

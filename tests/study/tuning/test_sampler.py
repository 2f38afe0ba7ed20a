"""What is proposed depends on the trials before and nothing else, and it is better than chance."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from linewise.foundations.tuning import Dial, TrialRecord
from linewise.study.tuning.sampler import GENERATION, STARTUP, generation_of, importance, propose

SPACE = [
    Dial(name="lr", low=1e-3, high=3e-2, log=True, default=5e-3),
    Dial(name="clip", low=0.1, high=10, log=True, default=1),
    Dial(name="dropout", low=0, high=0.5, log=False, default=0),
]
BASE = 1_000_000


def ended(number: int, settings: dict[str, float], accuracy: float | None) -> TrialRecord:
    status = "diverged" if accuracy is None else "finished"
    return TrialRecord(number=number, seed=number, settings=settings, status=status, validation_accuracy=accuracy)


def search(worth: Callable[[dict[str, float]], float | None], trials: int, label: str) -> list[TrialRecord]:
    history: list[TrialRecord] = []
    for first in range(0, trials, GENERATION):
        found = propose(SPACE, label, BASE, generation_of(first), history)
        history += [ended(n, s, worth(s)) for n, s in found.items()]
    return history


def peak(settings: dict[str, float]) -> float:
    """Best at a rate of 0.02, on a slope of one decade."""
    return math.exp(-(math.log10(settings["lr"] / 0.02) ** 2) * 4)


def test_the_same_history_the_same_proposals() -> None:
    history = search(peak, 12, "net")
    again = search(peak, 12, "net")
    assert history == again
    assert propose(SPACE, "net", BASE, range(12, 16), history) == propose(
        SPACE, "net", BASE, range(12, 16), history[::-1]
    )
    assert propose(SPACE, "net", BASE, range(12, 16), history) != propose(
        SPACE, "other", BASE, range(12, 16), history
    )
    assert propose(SPACE, "net", BASE, range(12, 16), history) != propose(
        SPACE, "net", BASE + 1, range(12, 16), history
    )


def test_the_first_is_the_recipe_and_no_two_are_alike() -> None:
    history = search(peak, 24, "net")
    assert history[0].settings == {"lr": 5e-3, "clip": 1, "dropout": 0}
    assert len({tuple(t.settings.values()) for t in history}) == 24


def test_settings_lie_in_their_ranges_and_can_be_typed() -> None:
    for trial in search(peak, 40, "net"):
        for dial in SPACE:
            value = trial.settings[dial.name]
            assert dial.low <= value <= dial.high
            assert float(f"{value:.4g}") == value


def test_random_trials_cover_logarithmic_ranges_evenly() -> None:
    rates = [propose(SPACE, f"net{i}", BASE, range(4), [])[n]["lr"] for i in range(100) for n in (1, 2, 3)]
    share = np.log(np.array(rates) / 1e-3) / np.log(30)
    from scipy.stats import kstest

    assert kstest(share, "uniform").pvalue > 0.001


def test_the_search_beats_chance() -> None:
    """Over ten networks, later trials are nearer to the peak than the random ones at the beginning."""
    early, late = [], []
    for i in range(10):
        values = [t.validation_accuracy or 0 for t in search(peak, 28, f"net{i}")]
        early += values[1:STARTUP]
        late += values[-8:]
    assert np.mean(late) > np.mean(early) + 0.2


def test_what_diverged_is_avoided_and_what_failed_says_nothing() -> None:
    def wild(settings: dict[str, float]) -> float | None:
        return None if settings["lr"] > 8e-3 else 0.5 + 0.01 * settings["dropout"]

    history = search(wild, 32, "net")
    random = [t.status for t in history[1:STARTUP]]
    guided = [t.status for t in history[-12:]]
    assert guided.count("diverged") / 12 < random.count("diverged") / len(random)
    failed = TrialRecord(number=2, seed=2, settings=history[2].settings, status="failed", reason="killed")
    rest = [t for t in history[:12] if t.number != 2]
    expected = propose(SPACE, "net", BASE, range(12, 16), rest)
    assert propose(SPACE, "net", BASE, range(12, 16), [*rest, failed]) == expected


def test_importance_finds_the_dial_that_matters() -> None:
    rng = np.random.default_rng(0)
    trials = []
    for n in range(40):
        settings = {
            "lr": 10 ** rng.uniform(-3, math.log10(3e-2)),
            "clip": 10 ** rng.uniform(-1, 1),
            "dropout": rng.uniform(0, 0.5),
        }
        trials.append(ended(n, settings, peak(settings)))
    shares = importance(SPACE, "net", BASE, trials)
    assert shares is not None
    assert shares["lr"] > 0.9
    assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
    assert importance(SPACE, "net", BASE, trials[::-1]) == shares


def test_importance_is_left_out_where_it_means_nothing() -> None:
    same = [ended(n, {"lr": 1e-3 * (n + 1), "clip": 1, "dropout": 0}, 0.5) for n in range(8)]
    assert importance(SPACE, "net", BASE, same) is None
    assert importance(SPACE, "net", BASE, search(peak, 4, "net")[:3]) is None
    assert importance(SPACE, "net", BASE, []) is None

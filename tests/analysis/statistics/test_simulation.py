"""A small version of benchmarks/simulation.py, and whether its truth is true."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from linewise.analysis.statistics.contrasts import Contrast

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))  # behind the tests' own helpers of the same names
import simulated
import simulation

STUDIES = 200


@pytest.mark.parametrize(
    "setting",
    [
        simulated.Setting(0.97, 3, 2000),
        simulated.Setting(0.6, 6, 360),
        simulated.Setting(0.97, 6, 2000, copies=True),
    ],
)
def test_the_statistics_keep_their_word(setting: simulated.Setting) -> None:
    """Of 200 studies; the limits are what chance allows once in a thousand beyond the promise."""
    found = simulation.simulate(setting, [0], STUDIES)
    assert sum(found["alarm"]) <= stats.binom.isf(0.001, STUDIES, 0.05)
    for name in ("holds_accuracy", "holds_difference"):
        held_R = np.asarray(found[name], dtype=float).reshape(STUDIES, -1).mean(axis=1)
        chance = 3.1 * held_R.std() / np.sqrt(STUDIES)
        assert 0.93 - chance <= held_R.mean() <= 0.97 + chance
    for name in ("found", "found_holm"):
        assert sum(found[name]) >= stats.binom.isf(0.999, STUDIES, 0.8)
    assert sum(found["found"]) <= stats.binom.isf(0.001, STUDIES, 0.85)
    assert np.mean(found["own_power"]) == pytest.approx(0.8, abs=0.1)


def test_it_would_be_seen_if_seeds_were_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    setting, whole = simulated.Setting(0.6, 3, 10_000), simulation.contrast

    def images_only(*arguments) -> Contrast:
        return replace(whole(*arguments), seeds=0.0, rest=0.0)

    monkeypatch.setattr(simulation, "contrast", images_only)
    found = simulation.simulate(setting, [0], 40)
    assert sum(found["alarm"]) > stats.binom.isf(1e-6, 40, 0.05)
    assert np.mean(found["holds_difference"]) < 0.8


def test_the_true_variances_are_those_of_the_simulated_runs() -> None:
    """Agreement of runs against scipy's bivariate normal; accuracy and variances against many runs."""
    first, second = simulated.Setting(0.9, 3, 100).networks[3:5]
    shared = 0.8 * simulated.IMAGES_SPREAD**2
    r = shared / np.sqrt(first.variance * second.variance)
    z = stats.norm.ppf(0.9)
    both = stats.multivariate_normal([0, 0], [[1, r], [r, 1]]).cdf([z, z])
    assert first.agreement(second, shared) == pytest.approx(both - 0.81, abs=1e-6)
    rng = np.random.default_rng(0)
    runs = np.array([second.correct(rng, 20, rng.standard_normal(4000, dtype=np.float32)) for _ in range(40)])
    true = simulated.components(second, second, 20, 4000)
    assert runs.mean() == pytest.approx(0.9, abs=0.003)
    of_runs = runs.mean(axis=2).var(axis=1, ddof=1).mean() - true.rest[0] / 4000
    assert of_runs == pytest.approx(true.seeds[0], rel=0.12)
    assert np.mean(runs[:, 0] & runs[:, 1]) - 0.81 == pytest.approx(0.09 - true.rest[0] - true.seeds[0], abs=0.004)


def test_a_seed_repeats_and_another_differs() -> None:
    setting = simulated.Setting(0.9, 2, 50)
    once, again, other = (simulation.simulate(setting, [seed], 4) for seed in (1, 1, 2))
    assert once == again != other

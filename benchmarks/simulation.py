"""Do the statistics keep their word? Simulated studies whose truth is known (`simulated.py`).

    python benchmarks/simulation.py [--studies 2000] [--jobs 2] [--out docs/results/simulation] [--rebuild]

A study has five networks, of different kinds or copies of one, equally accurate over all images and seeds.
Counted, by the functions of `linewise.analysis`: panels with any false alarm after Holm; how often intervals of
accuracies and differences hold the truth; how often a network that is worse by a planted difference is found,
beside the power that was stated for it; and the same for the two-way bootstrap, on fewer studies. Writes
results.json, and README.md from it; `--rebuild` does only the second.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import combinations, product
from pathlib import Path

import numpy as np

from linewise.analysis.intervals import accuracy, clopper_pearson, interval_of_difference
from linewise.analysis.statistics.bootstrap import resample
from linewise.analysis.statistics.contrasts import Moments, contrast
from linewise.analysis.statistics.exact import holm, mcnemar
from linewise.analysis.statistics.power import Components
from linewise.foundations.environment import processor
from simulated import MIDDLE, PLACES, Setting
from simulation_page import page

PAIRS = list(combinations(PLACES, 2))
CHUNK = 100
Measured = tuple[float, float, float]


def simulate(setting: Setting, seed: list[int], studies: int) -> dict[str, list]:
    """Studies of one setting; a value per study in each list."""
    rng, networks = _rng(setting, seed), setting.networks
    alone, corrected = setting.planted(1), setting.planted(len(PAIRS))
    found: dict[str, list] = {}
    for _ in range(studies):
        shared_N = rng.standard_normal(setting.images, dtype=np.float32)
        correct = [network.correct(rng, setting.seeds, shared_N) for network in networks]
        moments = [Moments.of(correct_SN) for correct_SN in correct]
        values = null(setting, correct, moments)
        if alone:
            worse = Moments.of(alone[0].correct(rng, setting.seeds, shared_N))
            gap = setting.accuracy - alone[0].accuracy
            difference = contrast([moments[MIDDLE], worse], [1, -1])
            interval = interval_of_difference(difference, setting.seeds)
            own = Components.of(moments[MIDDLE], worse)
            values |= {
                "found": difference.p_value() < 0.05,
                "holds_planted": interval.low <= gap <= interval.high,
                "own_power": own.power(gap),
            }
        if corrected:
            worse = Moments.of(corrected[0].correct(rng, setting.seeds, shared_N))
            panel = [moments[MIDDLE], worse, *(moments[i] for i in PLACES if i not in (MIDDLE, MIDDLE + 1))]
            values["found_holm"] = (
                holm([contrast([panel[a], panel[b]], [1, -1]).p_value() for a, b in PAIRS])[0] < 0.05
            )
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    return found


def null(setting: Setting, correct: list[np.ndarray], moments: list[Moments]) -> dict:
    """Five equally accurate networks."""
    intervals = [accuracy(correct_SN) for correct_SN in correct]
    differences = [contrast([moments[a], moments[b]], [1, -1]) for a, b in PAIRS]
    gaps = [interval_of_difference(difference, setting.seeds) for difference in differences]
    p_values = [difference.p_value() for difference in differences]
    return {
        "alarm": any(p < 0.05 for p in holm(p_values)),
        "holds_accuracy": float(np.mean([i.low <= setting.accuracy <= i.high for i in intervals])),
        "holds_difference": [not gap.excludes_zero for gap in gaps],
        "mcnemar": bool(mcnemar(correct[1][:1], correct[MIDDLE][:1])[0, 0] < 0.05),
    }


def bootstrap_holds(setting: Setting, seed: list[int], studies: int) -> dict[str, list]:
    """Whether the 95 % interval of the two-way bootstrap holds the true difference of two networks."""
    rng, found = _rng(setting, seed, 1), []
    for _ in range(studies):
        shared_N = rng.standard_normal(setting.images, dtype=np.float32)
        pair = [setting.networks[i].correct(rng, setting.seeds, shared_N) for i in (MIDDLE, MIDDLE + 1)]
        means_R2 = resample(pair, rng, 1000)
        low, high = np.quantile(means_R2[:, 0] - means_R2[:, 1], [0.025, 0.975])
        found.append(bool(low <= 0 <= high))
    return {"holds": found}


def share(values: list[bool]) -> Measured:
    """With the exact interval."""
    return float(np.mean(values)), *clopper_pearson(sum(values), len(values))


def mean(values: list) -> Measured:
    """With the interval of a mean over studies, because the networks of one study share its images."""
    values_R = np.asarray(values, dtype=float).reshape(len(values), -1).mean(axis=1)
    half = 1.96 * float(values_R.std(ddof=1)) / len(values) ** 0.5
    return float(values_R.mean()), float(values_R.mean()) - half, float(values_R.mean()) + half


def measured(setting: Setting, found: dict[str, list]) -> dict:
    """Figures of one setting, as fractions; None where no difference can be planted."""
    alone, corrected = setting.planted(1), setting.planted(len(PAIRS))
    return {
        "alarms": share(found["alarm"]),
        "accuracies": mean(found["holds_accuracy"]),
        "differences": mean(found["holds_difference"]),
        "worst_pair": float(np.mean(found["holds_difference"], axis=0).min()),
        "mcnemar": share(found["mcnemar"]),
        "planted": setting.accuracy - alone[0].accuracy if alone else None,
        "stated": alone[1] if alone else None,
        "found": share(found["found"]) if alone else None,
        "planted_held": share(found["holds_planted"]) if alone else None,
        "own_statement": mean(found["own_power"]) if alone else None,
        "planted_holm": setting.accuracy - corrected[0].accuracy if corrected else None,
        "stated_holm": corrected[1] if corrected else None,
        "found_holm": share(found["found_holm"]) if corrected else None,
    }


def run(job: tuple) -> dict[str, list]:
    function, *arguments = job
    return function(*arguments)


def gather(pool: ProcessPoolExecutor, function, settings: list[Setting], seed: list[int], studies: int) -> list:
    """Settings with their studies, done in chunks on all workers."""
    sizes = [min(CHUNK, studies - start) for start in range(0, studies, CHUNK)]
    jobs = [(function, setting, [seed, chunk], size) for setting in settings for chunk, size in enumerate(sizes)]
    found: dict[Setting, dict[str, list]] = {setting: {} for setting in settings}
    for (_, setting, *_), values in zip(jobs, pool.map(run, jobs), strict=True):
        for name, value in values.items():
            found[setting].setdefault(name, []).extend(value)
    return list(found.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000, help="of each setting")
    parser.add_argument("--bootstraps", type=int, default=400, help="studies of each setting for the bootstrap")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("docs/results/simulation"))
    parser.add_argument("--rebuild", action="store_true", help="write the page from results.json")
    chosen = parser.parse_args()
    if not chosen.rebuild:
        chosen.out.mkdir(parents=True, exist_ok=True)
        record = json.dumps(
            simulated_settings(chosen.studies, chosen.bootstraps, chosen.jobs, chosen.seed), indent=1
        )
        (chosen.out / "results.json").write_text(record + "\n", encoding="utf-8")
    variants = chosen.out / "variants.json"
    again = json.loads(variants.read_text(encoding="utf-8")) if variants.exists() else None
    text = page(json.loads((chosen.out / "results.json").read_text(encoding="utf-8")), again)
    (chosen.out / "README.md").write_text(text, encoding="utf-8")
    print(text)


def simulated_settings(studies: int, bootstraps: int, jobs: int, seed: int) -> dict:
    """All settings with their figures."""
    started = time.perf_counter()
    settings = [Setting(*values) for values in product((0.6, 0.97, 0.99), (2, 3, 6), (360, 2000, 10_000))]
    settings += [Setting(*values, copies=True) for values in product((0.6, 0.97), (3, 6), (360, 10_000))]
    small = [setting for setting in settings if setting.images < 10_000 and not setting.copies]
    with ProcessPoolExecutor(jobs) as pool:
        found = gather(pool, simulate, settings, seed, studies)
        resampled = gather(pool, bootstrap_holds, small, seed, bootstraps)
    return {
        "studies": studies,
        "bootstraps": bootstraps,
        "seed": seed,
        "jobs": jobs,
        "seconds": round(time.perf_counter() - started),
        "processor_s": round(sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])),
        "processor": processor(),
        "settings": [{**asdict(setting), **measured(setting, values)} for setting, values in found],
        "bootstrap": [{**asdict(setting), "holds": share(values["holds"])} for setting, values in resampled],
    }


def _rng(setting: Setting, seed: list[int], purpose: int = 0) -> np.random.Generator:
    return np.random.default_rng(
        [*seed, purpose, round(1000 * setting.accuracy), setting.seeds, setting.images, setting.copies]
    )


if __name__ == "__main__":
    main()

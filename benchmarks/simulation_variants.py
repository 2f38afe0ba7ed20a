"""Other ways to add the variances of images and seeds, on the simulated studies of `simulation.py`.

    python benchmarks/simulation_variants.py [--studies 2000] [--jobs 1] [--seed 5] [--out docs/results/simulation]

Each way sees the same studies. Their seed is not that of `simulation.py`, so the way chosen is tested here again,
on other studies. Writes variants.json, and variants.md from it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
from scipy import special

from linewise.analysis.statistics import contrasts
from linewise.analysis.statistics.contrasts import Moments
from linewise.foundations.environment import processor
from simulated import Setting
from simulation import _rng, mean, null, share

CHUNK = 250
COLUMNS = {
    "alarms": "panels with a false alarm",
    "accuracies": "accuracies held",
    "differences": "differences held",
}
PAGE = """# Other ways to add the two variances

    OMP_NUM_THREADS=1 python benchmarks/simulation_variants.py --studies {studies} \\
        --jobs {jobs} --seed {seed}

{processor}; {studies:,} studies of each setting, the same for all four; per cent, 95 % intervals in brackets.

{table}"""


def subtracting(part: float) -> Callable:
    """A quantile for each, with this part of the rest subtracted, whatever the seeds look like."""

    def square(tail, images, images_freedom, seeds, seeds_freedom, rest):
        left = np.maximum(0.0, seeds - part * rest)
        moved = np.minimum(np.minimum(images, left), (1 - part) * rest)
        of_images, of_seeds = (special.stdtrit(freedom, tail) ** 2 for freedom in (images_freedom, seeds_freedom))
        return of_images * (images - moved) + of_seeds * left

    return square


def one_quantile(tail, images, images_freedom, seeds, seeds_freedom, rest):
    """The first version: nothing subtracted, one quantile for the sum (Welch–Satterthwaite)."""
    below = images**2 / images_freedom + seeds**2 / seeds_freedom
    freedom = np.where(below > 0, (images + seeds) ** 2 / np.where(below > 0, below, 1), 1)
    return special.stdtrit(freedom, tail) ** 2 * (images + seeds)


WAYS = {
    "chosen": contrasts.square,
    "rest subtracted whole": subtracting(1.0),
    "rest not subtracted": subtracting(0.0),
    "first version": one_quantile,
}
SETTINGS = [
    Setting(0.97, 3, 360),
    Setting(0.97, 3, 360, copies=True),
    Setting(0.99, 3, 360),
    Setting(0.6, 3, 10_000),
    Setting(0.97, 3, 10_000),
    Setting(0.97, 6, 10_000, copies=True),
]


def run(job: tuple[Setting, list[int], int]) -> dict[str, dict[str, list]]:
    """Studies of one setting, each judged in all ways."""
    setting, seed, studies = job
    rng = _rng(setting, seed)
    found: dict[str, dict[str, list]] = {way: {} for way in WAYS}
    for _ in range(studies):
        shared_N = rng.standard_normal(setting.images, dtype=np.float32)
        correct = [network.correct(rng, setting.seeds, shared_N) for network in setting.networks]
        moments = [Moments.of(correct_SN) for correct_SN in correct]
        for way, square in WAYS.items():
            contrasts.square = square
            for name, value in null(setting, correct, moments).items():
                found[way].setdefault(name, []).append(value)
    return found


def simulated(studies: int, jobs: int, seed: int) -> dict:
    """All settings in all ways."""
    sizes = [min(CHUNK, studies - start) for start in range(0, studies, CHUNK)]
    work = [(setting, [seed, chunk], size) for setting in SETTINGS for chunk, size in enumerate(sizes)]
    found: dict[tuple[Setting, str], dict[str, list]] = {}
    with ProcessPoolExecutor(jobs) as pool:
        for (setting, *_), ways in zip(work, pool.map(run, work), strict=True):
            for way, values in ways.items():
                for name, value in values.items():
                    found.setdefault((setting, way), {}).setdefault(name, []).extend(value)
    rows = [
        {
            **asdict(setting),
            "way": way,
            "alarms": share(values["alarm"]),
            "accuracies": mean(values["holds_accuracy"]),
            "differences": mean(values["holds_difference"]),
        }
        for (setting, way), values in found.items()
    ]
    return {"studies": studies, "jobs": jobs, "seed": seed, "processor": processor(), "rows": rows}


def page(record: dict) -> str:
    """The results as a table in Markdown."""
    head = ["networks", "accuracy", "seeds", "images", "way", *COLUMNS.values()]
    body = []
    for row in record["rows"]:
        kind = "copies" if row["copies"] else "different"
        cells = [kind, f"{100 * row['accuracy']:.0f}", str(row["seeds"]), f"{row['images']:,}", row["way"]]
        body.append(cells + ["{:.1f} ({:.1f}–{:.1f})".format(*(100 * x for x in row[name])) for name in COLUMNS])
    lines = [head, [":---", "---:", "---:", "---:", ":---", "---:", "---:", "---:"], *body]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
    return PAGE.format(**{name: record[name] for name in ("studies", "jobs", "seed", "processor")}, table=table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000, help="of each setting")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("docs/results/simulation"))
    chosen = parser.parse_args()
    record = simulated(chosen.studies, chosen.jobs, chosen.seed)
    (chosen.out / "variants.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    text = page(json.loads((chosen.out / "variants.json").read_text(encoding="utf-8")))
    (chosen.out / "variants.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

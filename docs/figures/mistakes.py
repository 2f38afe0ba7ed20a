"""What a study says of mistakes and easy images, and how often the test errs in simulated studies.

python docs/figures/mistakes.py STUDY
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from linewise.analysis import Summary, summarise
from linewise.analysis.intervals import Interval, wilson
from linewise.analysis.overlap.agreement import kappa
from linewise.analysis.overlap.exchange import exchange
from linewise.analysis.overlap.gathered import hardest
from linewise.foundations.folder import StudyFolder

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from worlds import Network, study

STUDIES, IMAGES = 2_000, 1_500
CASES = {
    "the same network": (Network(), Network()),
    "the second more accurate": (Network(), Network(level=2.6)),
    "the second with noisier seeds": (Network(noise=0.4), Network(noise=0.7)),
    "each with hard images of its own (a little)": (Network(own=0.15), Network(own=0.15)),
    "each with hard images of its own": (Network(own=0.3), Network(own=0.3)),
}


def main() -> None:
    summary = summarise(StudyFolder.open(Path(sys.argv[1])))
    assert summary.overlap is not None
    assert summary.difficulty is not None
    print(summary.overlap.sentence, summary.overlap.of_families, summary.difficulty.shares.sentence, sep="\n")
    told(summary)
    print(
        f"\nShare of {STUDIES:,} simulated studies of {IMAGES:,} images in which the two are called different:\n"
    )
    print("| | seeds | equal numbers of mistakes, % | plain κ, % |\n|---|--:|--:|--:|")
    for name, networks in CASES.items():
        for seeds in (4, 6):
            equal, plain = (rejected(*networks, seeds, plain=plain) for plain in (False, True))
            print(f"| {name} | {seeds} | {equal} | {plain} |")


def told(summary: Summary) -> None:
    """Ensembles, pairs of classes, easy and hard images."""
    assert summary.ensembles is not None
    assert summary.class_pairs is not None
    assert summary.difficulty is not None
    together = summary.ensembles
    for name in ("two_recurrent", "two_convolutional", "mixed", "over_recurrent", "over_convolutional"):
        print(name, points(getattr(together, name)))
    names = summary.evidence.spec.data.class_names
    print(summary.class_pairs.num_tested, "pairs of classes tested")
    for pair in summary.class_pairs.unordered[:3]:
        print(names[pair.first], names[pair.second], points(pair.difference), f"corrected p = {pair.p_holm:.2g}")
    for part in summary.difficulty.parts or []:
        print(part.name, part.num_images, {family: points(i) for family, i in part.accuracy.items()})
        print("  difference", points(part.difference))


def points(interval: Interval | None) -> str:
    assert interval is not None
    return f"{100 * interval.estimate:.2f} ({100 * interval.low:.2f} to {100 * interval.high:.2f})"


def rejected(first: Network, second: Network, seeds: int, *, plain: bool) -> str:
    rng, found = np.random.default_rng(1), 0
    for _ in range(STUDIES):
        margin_RN, first_R = study(rng, first, second, seeds, IMAGES)
        wrong_RN = margin_RN < 0
        hard_RN = wrong_RN if plain else hardest(margin_RN, max(1, round(float(wrong_RN.sum(axis=1).mean()))))
        test = exchange(kappa(~hard_RN), first_R)
        assert test is not None
        found += test.significant
    low, high = wilson(found, STUDIES)
    return f"{100 * found / STUDIES:.1f} ({100 * low:.1f}–{100 * high:.1f})"


if __name__ == "__main__":
    main()

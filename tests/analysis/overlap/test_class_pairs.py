"""Confusions of pairs of classes: counted by hand, corrected as statsmodels does, and over simulated studies."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from linewise.analysis.intervals import difference, wilson
from linewise.analysis.overlap.class_pairs import LEAST_IMAGES, ClassPairs, compare
from linewise.analysis.overlap.gathered import Gathered

CLASSES = 5


def gathered(predicted_RN: np.ndarray, labels_N: np.ndarray, networks: list[tuple[str, int]]) -> Gathered:
    """Networks as (family, seeds), their runs in order."""
    kinds = [SimpleNamespace(label=str(i), family=family) for i, (family, _) in enumerate(networks)]
    network_R = np.repeat(np.arange(len(networks)), [seeds for _, seeds in networks])
    return Gathered(kinds, network_R, predicted_RN, np.zeros(predicted_RN.shape), labels_N)  # type: ignore[arg-type]


def made(
    rng: np.random.Generator, *, more: float = 0.0, seeds: int = 3, images: int = 200, networks: int = 2
) -> Gathered:
    """Four in a hundred images look like another class; recurrent runs fall for 1 as 2 more often."""
    labels_N = np.repeat(np.arange(CLASSES), images)
    total = len(labels_N)
    like_N = (labels_N + rng.integers(1, CLASSES, total)) % CLASSES
    listed = [(family, seeds) for family in ("recurrent", "convolutional") for _ in range(networks)]
    rows = []
    for family, _ in listed:
        weak_N = np.where(rng.random(total) < 0.08, rng.beta(0.5, 1.0, total), 0.0)
        if family == "recurrent":
            weak_N = np.where((labels_N == 1) & (like_N == 2), np.maximum(weak_N, more), weak_N)
        rows.append(np.where(rng.random((seeds, total)) < weak_N, like_N, labels_N))
    return gathered(np.concatenate(rows), labels_N, listed)


def found(of: Gathered) -> ClassPairs:
    pairs = compare(of)
    assert pairs is not None
    return pairs


def test_correction_is_statsmodels_over_the_pairs_tested() -> None:
    pairs = found(made(np.random.default_rng(0), more=0.3))
    for listed in (pairs.ordered, pairs.unordered):
        tested = [pair for pair in listed if pair.p is not None]
        corrected = multipletests([pair.p for pair in tested], method="holm")[1]
        assert [pair.p_holm for pair in tested] == pytest.approx(corrected)
        assert [pair for pair in listed if pair.p is None] == listed[len(tested) :]


def test_rates_by_hand_with_unequal_numbers_of_seeds() -> None:
    rng = np.random.default_rng(1)
    labels_N = rng.integers(0, 3, 300)
    predicted_RN = np.where(rng.random((7, 300)) < 0.2, rng.integers(0, 3, (7, 300)), labels_N)
    of = gathered(
        predicted_RN, labels_N, [("recurrent", 2), ("recurrent", 1), ("convolutional", 3), ("control", 1)]
    )
    pairs = found(of)
    assert len(pairs.ordered) == 6
    assert len(pairs.unordered) == 3
    for pair in [*pairs.ordered, *pairs.unordered]:
        ways = [(pair.first, pair.second)] + ([] if pair.ordered else [(pair.second, pair.first)])
        images = np.isin(labels_N, [way[0] for way in ways])
        hit_RN = np.logical_or.reduce([(labels_N == t) & (predicted_RN == p) for t, p in ways])
        rate_R = hit_RN[:, images].mean(axis=1)
        assert pair.recurrent == pytest.approx((rate_R[:2].mean() + rate_R[2]) / 2)  # networks count the same
        assert pair.convolutional == pytest.approx(rate_R[3:6].mean())
        assert pair.difference.estimate == pytest.approx(pair.recurrent - pair.convolutional)
        assert pair.num_confused == hit_RN[:6].any(axis=0).sum()
        assert pair.difference.num_images == images.sum()


def test_one_network_of_each_has_the_interval_of_every_other_difference() -> None:
    of = made(np.random.default_rng(5), more=0.4, seeds=4, networks=1)
    pair = next(p for p in found(of).ordered if (p.first, p.second) == (1, 2))
    hits_RM = of.predicted_RN[:, of.labels_N == 1] == 2
    expected = difference(hits_RM[:4], hits_RM[4:])
    assert (pair.difference.low, pair.difference.high) == pytest.approx((expected.low, expected.high))
    assert pair.difference.covers_seeds


def test_pairs_of_few_images_are_counted_and_not_tested() -> None:
    labels_N = np.repeat(np.arange(3), 100)
    predicted_RN = np.tile(labels_N, (4, 1))
    predicted_RN[:2, :LEAST_IMAGES] = 1  # 0 taken for 1 by one family, on just enough images
    predicted_RN[:2, 100 : 100 + LEAST_IMAGES - 1] = 2
    pairs = found(gathered(predicted_RN, labels_N, [("recurrent", 2), ("convolutional", 2)]))
    tested, counted = pairs.unordered
    assert (tested.first, tested.second, tested.num_confused) == (0, 1, LEAST_IMAGES)
    assert tested.p is not None
    assert (counted.first, counted.second, counted.p, counted.p_holm) == (1, 2, None, None)
    assert counted.difference.low < counted.difference.estimate < counted.difference.high
    assert pairs.num_tested == 1


def test_the_hardest_pair_is_the_one_confused_most_by_both() -> None:
    pairs = found(made(np.random.default_rng(2), more=0.4))
    assert [pair.rate for pair in pairs.hardest] == sorted((pair.rate for pair in pairs.unordered), reverse=True)
    assert (pairs.hardest[0].first, pairs.hardest[0].second) == (1, 2)


def test_one_family_has_no_pairs() -> None:
    labels_N = np.zeros(10, dtype=int)
    assert compare(gathered(labels_N[None], labels_N, [("recurrent", 1)])) is None


def test_false_alarms_and_what_is_found() -> None:
    """Over 100 studies without a difference, any pair is called different in at most 5 of 100; a real one is found."""
    rng, alarms, hits = np.random.default_rng(3), 0, 0
    for _ in range(100):
        alarms += any(pair.significant for pair in found(made(rng)).unordered)
    for _ in range(25):
        pairs = found(made(rng, more=0.5))
        hits += any(pair.significant and (pair.first, pair.second) == (1, 2) for pair in pairs.unordered)
    low, _ = wilson(alarms, 100)
    assert low <= 0.05
    assert hits >= 22


def test_intervals_of_the_difference_hold_the_truth() -> None:
    """The pair 1 – 2 over 150 studies; the truth is that of very many images."""
    rng, held = np.random.default_rng(4), 0

    def pair(of: Gathered):
        return next(p for p in found(of).unordered if (p.first, p.second) == (1, 2))

    truth = pair(made(rng, more=0.3, images=40_000)).difference.estimate
    for _ in range(150):
        gap = pair(made(rng, more=0.3, images=300)).difference
        held += gap.low <= truth <= gap.high
    assert held / 150 >= 0.93

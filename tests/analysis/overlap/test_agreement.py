"""Measures of overlap against scikit-learn's, one pair of runs at a time."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, jaccard_score

from linewise.analysis.overlap.agreement import between_groups, jaccard, kappa, same_answers
from linewise.analysis.overlap.gathered import hardest, margins


def runs(seed: int = 0, count: int = 6, images: int = 500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels_N = rng.integers(0, 5, images)
    wrong_RN = rng.random((count, images)) < np.where(np.arange(images) % 5 == 0, 0.5, 0.05)
    return np.where(wrong_RN, (labels_N + rng.integers(1, 5, (count, images))) % 5, labels_N), labels_N


def test_kappa_and_jaccard_are_scikit_learns() -> None:
    predicted_RN, labels_N = runs()
    correct_RN = predicted_RN == labels_N
    kappa_RR, jaccard_RR = kappa(correct_RN), jaccard(correct_RN)
    for i, a in enumerate(correct_RN):
        for j, b in enumerate(correct_RN):
            assert kappa_RR[i, j] == pytest.approx(cohen_kappa_score(a, b))
            assert jaccard_RR[i, j] == pytest.approx(jaccard_score(~a, ~b))


def test_same_answers_counted_by_hand() -> None:
    predicted_RN, labels_N = runs(1)
    found = same_answers(predicted_RN, labels_N)
    for i, a in enumerate(predicted_RN):
        for j, b in enumerate(predicted_RN):
            both = (a != labels_N) & (b != labels_N)
            assert found[i, j] == pytest.approx((a == b)[both].mean())


def test_runs_without_mistakes_have_no_overlap() -> None:
    predicted_RN = np.array([[0, 1, 2, 0], [0, 1, 2, 0], [1, 1, 2, 0]])
    labels_N = np.array([0, 1, 2, 0])
    kappa_RR = kappa(predicted_RN == labels_N)
    assert np.isnan(kappa_RR[0, 1])
    assert kappa_RR[0, 2] == 0  # one errs, the other never: as by chance
    assert np.isnan(jaccard(predicted_RN == labels_N)[0, 1])
    assert np.isnan(same_answers(predicted_RN, labels_N)[0, 2])


def test_means_between_groups_leave_out_a_run_with_itself() -> None:
    rng = np.random.default_rng(2)
    matrix_RR = rng.random((6, 6))
    matrix_RR += matrix_RR.T
    matrix_RR[0, 4] = matrix_RR[4, 0] = np.nan
    group_R = np.array([0, 0, 0, 1, 1, 2])
    found = between_groups(matrix_RR, group_R)
    for a in range(3):
        for b in range(3):
            pairs = [
                matrix_RR[i, j] for i in range(6) for j in range(6)
                if (group_R[i], group_R[j]) == (a, b) and i != j and np.isfinite(matrix_RR[i, j])
            ]  # fmt: skip
            assert found[a, b] == pytest.approx(np.mean(pairs)) if pairs else np.isnan(found[a, b])
    assert np.isnan(found[2, 2])


def test_margins_keep_the_side_of_the_answer_whatever_was_rounded() -> None:
    probabilities_NK = np.array([[0.5, 0.5], [0.5, 0.5], [0.9, 0.1], [0.2, 0.8]], dtype=np.float32)
    labels_N = np.array([0, 1, 0, 0])
    margin_N = margins(probabilities_NK, labels_N, np.array([True, False, True, False]))
    assert (margin_N > 0).tolist() == [True, False, True, False]
    assert margin_N[2:] == pytest.approx([0.8, -0.6])


def test_the_hardest_are_the_smallest_margins_as_many_for_each() -> None:
    margin_RN = np.random.default_rng(3).normal(size=(5, 200))
    hard_RN = hardest(margin_RN, 17)
    for margin_N, hard_N in zip(margin_RN, hard_RN, strict=True):
        assert set(np.flatnonzero(hard_N)) == set(np.argsort(margin_N)[:17])


def test_ties_do_not_look_like_agreement() -> None:
    """Runs without any opinion must not share the first images of the set; κ of chance is 0."""
    hard_RN = hardest(np.full((20, 2000), 1.0), 100)
    assert (hard_RN.sum(axis=1) == 100).all()
    assert abs(kappa(~hard_RN)[~np.eye(20, dtype=bool)].mean()) < 0.01

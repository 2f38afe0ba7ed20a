"""Measures of difficulty, counted image by image."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from linewise.analysis.difficulty.measures import (
    Witness,
    epochs_until_learned,
    over_families,
    reading_depth,
    times_forgotten,
)
from linewise.foundations.arrays import Steps

LEARNING = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=8))


@given(LEARNING)
@settings(max_examples=60)
def test_learned_and_forgotten_by_hand(correct_EN: np.ndarray) -> None:
    epochs = len(correct_EN)
    for image, history in enumerate(correct_EN.T):
        learned = next((e + 1 for e in range(epochs) if history[e:].all()), epochs + 1)
        assert epochs_until_learned(correct_EN)[image] == learned
        forgotten = sum(a and not b for a, b in itertools.pairwise(history))
        assert times_forgotten(correct_EN)[image] == forgotten


@given(
    arrays(np.int64, array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.integers(0, 2)), st.booleans()
)
@settings(max_examples=60)
def test_reading_depth_by_hand(answers_NT: np.ndarray, thinned: bool) -> None:
    images, kept = answers_NT.shape
    kept_T = np.arange(1, kept + 1) * (3 if thinned else 1)
    ink_N = np.ones(images, dtype=np.int64)
    depth_N = reading_depth(Steps(answers_NT, np.ones((images, kept), np.float32), kept_T, ink_N, ink_N))
    for answers_T, depth in zip(answers_NT, depth_N, strict=True):
        first = next(t for t in range(kept) if (answers_T[t:] == answers_T[-1]).all())
        assert depth == kept_T[first] / kept_T[-1]


def test_families_count_the_same_however_many_runs_they_have() -> None:
    runs = [("recurrent", 1.0), ("recurrent", 0.0), ("recurrent", 1.0), ("convolutional", 0.0)]
    found = [Witness(family, 0, {"wrong": np.array([value])}) for family, value in runs]
    assert over_families(found, "wrong") == pytest.approx([1 / 3])
    assert over_families(found, "depth") is None

"""Measures of difficulty, counted image by image."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from linewise.analysis.difficulty.measures import (
    Witness,
    epochs_until_learned,
    over_families,
    times_forgotten,
)

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


def test_families_count_the_same_however_many_runs_they_have() -> None:
    runs = [("recurrent", 1.0), ("recurrent", 0.0), ("recurrent", 1.0), ("convolutional", 0.0)]
    found = [Witness(family, 0, {"wrong": np.array([value])}) for family, value in runs]
    assert over_families(found, "wrong") == pytest.approx([1 / 3])
    assert over_families(found, "depth") is None

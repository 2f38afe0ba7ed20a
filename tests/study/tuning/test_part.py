"""The images of a trial: a share of the training images with all classes in proportion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linewise.images.sets import Part
from linewise.study.tuning.part import part_of


def part(labels: list[int]) -> Part:
    labels_N = np.array(labels, dtype=np.int64)
    return Part(np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1), labels_N)


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=5), share=st.integers(0, 100), seed=st.integers(0, 99)
)
def test_classes_keep_their_proportions(sizes: list[int], share: int, seed: int) -> None:
    whole = part([k for k, size in enumerate(sizes) for _ in range(size)])
    number = max(len(sizes), round(share * len(whole) / 100))
    chosen = part_of(whole, number, seed)
    indices = chosen.images_NHWC.ravel()
    assert len(chosen) == number == len(set(indices.tolist()))
    np.testing.assert_array_equal(chosen.labels_N, whole.labels_N[indices])
    for k, size in enumerate(sizes):
        count = int((chosen.labels_N == k).sum())
        assert count >= 1
        # Less than one image off, and one more for each class that is given its only image.
        assert abs(count - number * size / len(whole)) <= 1 + len(sizes)


def test_the_seed_decides_and_nothing_else() -> None:
    whole = part([0, 1] * 60)
    first, again, other = part_of(whole, 30, 1), part_of(whole, 30, 1), part_of(whole, 30, 2)
    np.testing.assert_array_equal(first.images_NHWC, again.images_NHWC)
    assert not np.array_equal(first.images_NHWC, other.images_NHWC)
    assert first.counts(2) == [15, 15]


@pytest.mark.parametrize("number", [1, 120])
def test_one_image_and_all_of_them(number: int) -> None:
    whole = part([0, 1, 2] * 40)
    assert len(part_of(whole, number, 0)) == number

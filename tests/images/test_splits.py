"""Splits: stratified, by seed, by content; checked over many made-up data sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linewise.foundations.errors import ConfigError
from linewise.images import SplitOptions, load
from linewise.images.splits import Usual, plan

NAMES = ("a", "b", "c")


@st.composite
def labelled(draw):
    """Labels of three classes, some images copies of others, at least five different ones per class."""
    sizes = [draw(st.integers(5, 40)) for _ in NAMES]
    labels = np.repeat(np.arange(3), sizes)
    groups = np.arange(len(labels))
    for copy in draw(st.lists(st.integers(0, len(labels) - 1), max_size=6)):
        groups[copy] = groups[int(np.flatnonzero(labels == labels[copy])[0])]
    for k in range(3):  # enough different images
        own = np.flatnonzero(labels == k)
        if len(np.unique(groups[own])) < 3:
            groups[own] = own
    order = np.random.default_rng(draw(st.integers(0, 9))).permutation(len(labels))
    return labels[order], groups[order]


@given(labelled(), st.integers(0, 3))
@settings(max_examples=80, deadline=None)
def test_nothing_lost_nothing_twice_no_copy_apart(data, seed):
    labels, groups = data
    division = plan(labels, groups, SplitOptions(split_seed=seed), NAMES, has_validation=False, has_test=False)
    assert division.validation is not None
    assert division.test is not None
    parts = [division.train, division.validation, division.test]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    contents = [set(groups[part].tolist()) for part in parts]
    assert not contents[0] & contents[1] | contents[0] & contents[2] | contents[1] & contents[2]
    for part in parts:
        assert set(labels[part].tolist()) == {0, 1, 2}


def divide(seed: int = 0, num: int = 1000, **options):
    labels = np.arange(num) % 4 % 3  # class 0 twice as large
    return labels, plan(
        labels,
        np.arange(num),
        SplitOptions(split_seed=seed, **options),
        NAMES,
        has_validation=False,
        has_test=False,
    )


def test_shares_are_kept_per_class():
    labels, division = divide()
    assert np.bincount(labels[division.test]).tolist() == [100, 50, 50]
    assert np.bincount(labels[division.validation]).tolist() == [80, 40, 40]
    assert np.bincount(labels[division.train]).tolist() == [320, 160, 160]


def test_same_seed_same_split_other_seed_another():
    (_, first), (_, again), (_, other) = divide(3), divide(3), divide(4)
    np.testing.assert_array_equal(first.test, again.test)
    np.testing.assert_array_equal(first.train, again.train)
    assert set(first.test) != set(other.test)


def test_numbers_and_balance():
    labels, division = divide(images=300, validation=100, test=40)
    assert np.bincount(labels[division.test]).tolist() == [20, 10, 10]
    assert np.bincount(labels[division.validation]).tolist() == [50, 25, 25]
    assert np.bincount(labels[division.train]).tolist() == [100, 100, 100]


def test_balance_as_far_as_the_data_allow():
    labels, division = divide(images=700, validation=100, test=100)
    assert np.bincount(labels[division.train]).tolist() == [300, 200, 200]


def test_number_of_training_images_moves_no_other_image():
    (_, few), (_, many) = divide(images=60), divide(images=600)
    np.testing.assert_array_equal(few.test, many.test)
    np.testing.assert_array_equal(few.validation, many.validation)


def test_what_is_usual():
    labels = np.arange(120) % 3
    usual = Usual(60, 30)
    full = plan(labels, np.arange(120), SplitOptions(), NAMES, has_validation=False, has_test=True, usual=usual)
    assert full.validation is not None
    assert [len(full.train), len(full.validation), full.test] == [60, 30, None]
    more = plan(
        labels, np.arange(120), SplitOptions(images=100), NAMES, has_validation=False, has_test=True, usual=usual
    )
    assert more.validation is not None
    assert [len(more.train), len(more.validation)] == [100, 20]
    part = plan(
        labels[:60], np.arange(60), SplitOptions(), NAMES, has_validation=False, has_test=True, usual=usual
    )
    assert part.validation is not None
    assert [len(part.train), len(part.validation)] == [48, 12]


def test_given_splits_stay_as_they_are():
    division = plan(np.arange(12) % 3, np.arange(12), SplitOptions(), NAMES, has_validation=True, has_test=True)
    assert division.validation is None
    assert division.test is None
    assert division.train.tolist() == list(range(12))


def test_a_class_of_copies_only_cannot_be_divided(refusal):
    images = np.zeros((20, 4, 4), np.uint8)
    images[10:] = np.arange(10, dtype=np.uint8)[:, None, None] * 20 + 20
    labels = np.array(["same"] * 10 + ["other"] * 10)
    assert refusal(lambda: load((images, labels))) == (
        "arrays: class 'same' has 1 different image, too few to divide into training and validation and test images"
        "\n  expected: at least 3\n  to mend:  add images of this class, or leave the class out"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"images": 641},
            "--images: 641 training images asked for, 640 there"
            "\n  expected: from 3 to 640, what validation and test images leave",
        ),
        (
            {"images": 2},
            "--images: 2 training images asked for, 640 there"
            "\n  expected: from 3 to 640, what validation and test images leave",
        ),
        ({"test": 1000}, "--test: 1,000 test images asked for, of 1,000\n  expected: from 1 to 994"),
        ({"validation": 800}, "--validation: 800 validation images asked for, of 800\n  expected: from 1 to 797"),
    ],
)
def test_more_than_there_are(refusal, options, message):
    if "images" in options:
        options["validation"] = 160
    assert refusal(lambda: divide(**options), ConfigError) == message

"""Arrays of any type and layout are the same images, or are refused with a reason."""

from __future__ import annotations

import numpy as np
import pytest

from linewise.images import load

GREY = np.random.default_rng(4).integers(0, 256, (30, 5, 6), np.uint8)
COLOUR = np.random.default_rng(5).integers(0, 256, (30, 5, 6, 3), np.uint8)
LABELS = np.arange(30) % 3
SHAPES = "\n  expected: N×H×W grey, N×H×W×C or N×C×H×W, with 1 channel or 3"


def fingerprint(images, labels=LABELS) -> str:
    return load((images, labels)).record.fingerprint


@pytest.mark.parametrize(
    "same",
    [
        GREY[..., None],
        GREY[:, None],
        GREY.astype(np.int64),
        GREY.astype(np.uint16) * 257,
        GREY / 255,
        (GREY / 255).astype(np.float32),
        GREY.astype(np.float64),
        np.asfortranarray(GREY),
        GREY.tolist(),
    ],
    ids=["NHWC", "NCHW", "int64", "uint16", "0..1", "0..1 float32", "0..255 floats", "fortran", "lists"],
)
def test_grey(same):
    assert fingerprint(same) == fingerprint(GREY)


@pytest.mark.parametrize("same", [COLOUR.transpose(0, 3, 1, 2), COLOUR / 255], ids=["NCHW", "0..1"])
def test_colour(same):
    assert fingerprint(same) == fingerprint(COLOUR)


def test_booleans_are_black_and_white():
    assert fingerprint(GREY > 127) == fingerprint((GREY > 127) * np.uint8(255))


@pytest.mark.parametrize(
    "same",
    [
        LABELS.astype(float),
        LABELS[:, None],
        LABELS.astype(np.uint8),
        LABELS.astype(str),
        LABELS.astype(str).astype(object),
    ],
)
def test_labels(same):
    assert fingerprint(GREY, same) == fingerprint(GREY)


def test_dark_images_are_remarked_upon():
    images = load((GREY // 16, LABELS))
    assert images.warnings == ["the largest pixel value is 15: taken as 0..255, so the images are dark"]


def test_64_of_255_is_not_dark_and_63_is():
    for high, warnings in ((64, 0), (63, 1)):
        images = GREY // 5
        images[0, 0, 0] = high
        assert len(load((images, LABELS)).warnings) == warnings


@pytest.mark.parametrize(
    ("images", "same"),
    [
        (np.minimum(GREY, 254) / 255, np.minimum(GREY, 254)),
        (GREY * 257.0 / 257, GREY),
        (GREY + np.float32(0.4), np.minimum(GREY, 254)),
        (GREY.astype(np.int64) * 257, GREY),
        (np.where(GREY == 0, 65535, GREY.astype(np.int64)), np.where(GREY == 0, 255, np.rint(GREY / 257)).astype(np.uint8)),
    ],
    ids=["below 1", "0..255", "fractions of 255", "0..65535", "one pixel of 65535"],
)  # fmt: skip
def test_the_scale_is_chosen_by_the_extremes(images, same):
    if images.dtype == np.float32:
        images, same = np.minimum(images, 254), np.minimum(GREY, 254)
    assert fingerprint(images) == fingerprint(same)


def test_the_scale_is_chosen_for_all_splits_together(tmp_path):
    """The training images alone could be fractions of 1, the test images show that they are not."""
    train, test = (GREY > 127).astype(np.float64), GREY.astype(np.float64)
    np.savez(tmp_path / "x.npz", x_train=train, y_train=LABELS, x_test=test, y_test=LABELS)
    images = load(tmp_path / "x.npz")
    np.testing.assert_array_equal(np.sort(np.unique(images.train.images_NHWC)), [0, 1])
    np.testing.assert_array_equal(images.test.open("compare", lambda reason: None).images_NHWC[..., 0], GREY)


def test_many_images_are_scaled_in_blocks():
    many = np.random.default_rng(6).integers(0, 256, (2500, 3, 3), np.uint8)
    labels = np.arange(2500) % 2
    assert (
        fingerprint(many / 255, labels)
        == fingerprint(many.astype(np.int32) * 257, labels)
        == fingerprint(many, labels)
    )


def test_the_callers_array_is_left_alone():
    mine = GREY.copy()
    load((mine, LABELS))
    np.testing.assert_array_equal(mine, GREY)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (GREY, None, "arrays: images without labels\n  expected: two arrays: images and labels"),
        (
            GREY.reshape(30, 30)[:, :25],
            LABELS,
            "arrays, train: images of shape 30×25" + SHAPES + "\n  to mend:  images.reshape(-1, 5, 5)",
        ),
        (np.zeros((30, 5, 6, 2)), LABELS, "arrays, train: images of shape 30×5×6×2" + SHAPES),
        (
            np.zeros((30, 5, 6, 4)),
            LABELS,
            "arrays, train: images of shape 30×5×6×4" + SHAPES
            + "\n  to mend:  leave out the alpha channel: images[..., :3]",
        ),
        (
            np.zeros((30, 0, 6)), LABELS,
            "arrays, train: images of shape 30×0×6, without a pixel\n  expected: at least one pixel each",
        ),
        (
            np.zeros((30, 5, 6, 0)), LABELS,
            "arrays, train: images of shape 30×5×6×0, without a pixel\n  expected: at least one pixel each",
        ),
        (GREY.reshape(30, 30), LABELS, "arrays, train: images of shape 30×30" + SHAPES),
        (np.zeros((30, 2, 5, 4)), LABELS, "arrays, train: images of shape 30×2×5×4" + SHAPES
            + "\n  to mend:  leave out the alpha channel: images[..., :3]"),
        (np.zeros(30), LABELS, "arrays, train: images of shape 30" + SHAPES),
        (
            GREY.astype(np.int64) + 65281, LABELS,
            f"arrays: pixel values up to {65281 + int(GREY.max()):g}\n  expected: whole numbers 0..255 or 0..65535, or fractions 0..1",
        ),
        (
            GREY.astype(np.int64) - 1, LABELS,
            "arrays: pixel values from -1 to 254\n  expected: whole numbers 0..255, or fractions 0..1"
            "\n  to mend:  undo the normalisation; Linewise normalises by itself",
        ),
        (
            GREY * 1.01, LABELS,
            "arrays: pixel values up to 257.55\n  expected: whole numbers 0..255 or 0..65535, or fractions 0..1",
        ),
        (np.full(GREY.shape, np.nan), LABELS, "arrays, train: pixels that are NaN or infinite\n  expected: numbers"),
        (
            GREY / 127.5 - 1,
            LABELS,
            "arrays: pixel values from -1 to 1\n  expected: whole numbers 0..255, or fractions 0..1"
            "\n  to mend:  undo the normalisation; Linewise normalises by itself",
        ),
        (
            GREY.astype(np.int64) * 1000,
            LABELS,
            "arrays: pixel values up to 255000\n  expected: whole numbers 0..255 or 0..65535, or fractions 0..1",
        ),
        (GREY.astype(str), LABELS, "arrays, train: images of type <U3\n  expected: numbers"),
        (
            GREY,
            LABELS[:-1],
            "arrays: 30 images but 29 labels\n  expected: one label for each image of train"
            "\n  to mend:  check that the two belong together",
        ),
        (
            GREY,
            np.eye(3)[LABELS],
            "arrays: labels of shape 30×3\n  expected: one label per image, shape N"
            "\n  to mend:  for one-hot labels use labels.argmax(1)",
        ),
        (
            GREY,
            LABELS + 0.5,
            "arrays: labels of type float64\n  expected: whole numbers or strings, one per image",
        ),
        (GREY, np.array(["a", "", "b"] * 10), "arrays: the label of image 1 is empty\n  expected: a class name"),
        (
            GREY,
            LABELS * 0,
            "arrays: one class only, '0'\n  expected: at least two classes\n  to mend:  add images of another class",
        ),
        (GREY[:0], LABELS[:0], "arrays: no images of train\n  expected: at least two of each class"),
    ],
)  # fmt: skip
def test_refused(refusal, images, labels, message):
    assert refusal(lambda: load((images, labels))) == message

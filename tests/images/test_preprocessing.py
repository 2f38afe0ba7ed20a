"""One preprocessing for all commands: fits, statistics, equality of all ways in."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from linewise.foundations.errors import DataError
from linewise.images import ImageOptions, Preprocessing, load, read_image
from linewise.images.preprocessing import Geometry

RANDOM = np.random.default_rng(6)


def geometry(fit: str, height: int = 8, width: int = 8, channels: int = 1) -> Geometry:
    return Geometry.model_validate({"height": height, "width": width, "channels": channels, "fit": fit})


def test_letterbox_keeps_the_whole_image_and_its_proportions():
    page = np.full((4, 8), 200, np.uint8)
    page[1:3, 1:7] = 10  # something dark on a light page
    image = geometry("letterbox").apply(Image.fromarray(page))[..., 0]
    np.testing.assert_array_equal(image[2:6], page)
    assert set(np.unique(image[[0, 1, 6, 7]])) == {200}  # bars in the colour of the page's border


def test_letterbox_bars_around_a_digit_on_black():
    digit = np.zeros((8, 4), np.uint8)
    digit[2:6, 1:3] = 255
    image = geometry("letterbox").apply(Image.fromarray(digit))[..., 0]
    np.testing.assert_array_equal(image[:, 2:6], digit)
    assert image[:, [0, 1, 6, 7]].max() == 0


def test_crop_takes_the_middle():
    wide = RANDOM.integers(0, 256, (8, 20), np.uint8)
    np.testing.assert_array_equal(geometry("crop").apply(Image.fromarray(wide))[..., 0], wide[:, 6:14])


def test_stretch_uses_all_of_it():
    halves = np.zeros((4, 16), np.uint8)
    halves[:, 8:] = 255
    image = geometry("stretch").apply(Image.fromarray(halves))[..., 0]
    assert (image[:, :3] == 0).all()
    assert (image[:, 5:] == 255).all()


@pytest.mark.parametrize("fit", ["letterbox", "crop", "stretch"])
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (7, 9), (64, 64)])
@pytest.mark.parametrize("channels", [1, 3])
def test_one_colour_stays_that_colour(fit, size, channels):
    image = Image.fromarray(np.full((*size, 3), 77, np.uint8))
    out = geometry(fit, 8, 12, channels).apply(image)
    assert out.shape == (8, 12, channels)
    assert set(np.unique(out)) == {77}


def test_mean_and_std_against_numpy():
    images = RANDOM.integers(0, 256, (5000, 5, 6, 3), np.uint8)
    images[..., 1] //= 3
    found = Preprocessing.measure(geometry("crop", 5, 6, 3), images)
    np.testing.assert_allclose(found.mean, images.mean((0, 1, 2)) / 255, rtol=1e-12)
    np.testing.assert_allclose(found.std, images.std((0, 1, 2)) / 255, rtol=1e-9)
    x = found.normalise(images)
    assert x.dtype == np.float32
    assert x.shape == (5000, 3, 5, 6)
    np.testing.assert_allclose(x.mean((0, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(x.std((0, 2, 3)), 1, atol=1e-4)


def test_images_of_one_value_are_not_blown_up():
    found = Preprocessing.measure(geometry("crop"), np.full((10, 8, 8, 1), 9, np.uint8))
    assert found.std == [1.0]


def test_statistics_are_of_the_training_images_only():
    images = load("digits")
    np.testing.assert_allclose(images.preprocessing.mean[0], images.train.images_NHWC.mean() / 255, rtol=1e-12)


def test_stored_and_read_again(tmp_path):
    first = load("digits").preprocessing
    first.save(tmp_path / "p.json")
    assert Preprocessing.load(tmp_path / "p.json") == first


def test_wrong_numbers_are_refused(tmp_path):
    (tmp_path / "p.json").write_text('{"height": 8, "width": 8, "channels": 3, "mean": [0.5], "std": [0.5]}')
    with pytest.raises(DataError, match="one mean and one std per channel"):
        Preprocessing.load(tmp_path / "p.json")


def test_predicting_a_file_sees_what_training_saw(class_folders):
    """The decoded cache, `read_image` and `Preprocessing.apply` give the same bytes."""
    root = class_folders(size=(13, 21))
    for fit in ("letterbox", "crop", "stretch"):
        images = load(root, images=ImageOptions.model_validate({"size": (9, 10), "fit": fit}))
        for name, trained_on in zip(images.train.names or [], images.train.images_NHWC, strict=True):
            np.testing.assert_array_equal(read_image(root / name, images.preprocessing), trained_on)
            np.testing.assert_array_equal(images.preprocessing.apply(Image.open(root / name)), trained_on)


def test_arrays_and_files_of_the_same_images_agree(class_folders):
    root = class_folders(size=(13, 21))
    options = ImageOptions(size=(9, 10))
    from_files = load(root, images=options)
    names = sorted(p.relative_to(root).as_posix() for p in root.glob("*/*.png"))
    arrays = np.stack([np.asarray(Image.open(root / name)) for name in names])
    from_arrays = load((arrays, np.array([name.split("/")[0] for name in names])), images=options)
    assert from_arrays.record.fingerprint == from_files.record.fingerprint

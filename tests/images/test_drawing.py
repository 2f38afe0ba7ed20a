"""Drawings: where MNIST would have put them, however they were drawn; and read rightly by a network of MNIST."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.ndimage import center_of_mass

from drawings import PAD, STYLES, WAYS, Style, draw
from linewise.images import Preprocessing
from linewise.images.drawing import FINE, MNIST, prepare_drawing, thickness

GREY = Preprocessing(height=28, width=28, channels=1, mean=[0.13], std=[0.31])
LIGHT = GREY.model_copy(update={"mean": [0.87]})


def prepared(image: Image.Image, preprocessing: Preprocessing = GREY) -> np.ndarray:
    return prepare_drawing(image, preprocessing)[:, :, 0]


def box(image_HW: np.ndarray) -> tuple[int, int]:
    rows, columns = np.flatnonzero((image_HW > 40).any(axis=1)), np.flatnonzero((image_HW > 40).any(axis=0))
    return rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1


@pytest.mark.parametrize("digit", WAYS)
@pytest.mark.parametrize("style", STYLES)
def test_the_longer_side_is_20_pixels_and_the_mass_in_the_middle(digit: int, style: str):
    image_HW = prepared(draw(digit, 0, STYLES[style], seed=digit))
    assert 19 <= max(box(image_HW)) <= 22  # a pixel more where the middle falls between two
    np.testing.assert_allclose(center_of_mass(image_HW), (13.5, 13.5), atol=0.15)


def test_colour_of_ink_and_paper_does_not_matter():
    wanted = prepared(draw(5, 0, Style()))
    for ink, paper in (("white", "black"), ("#102080", "#fff8e0"), ("yellow", "#222")):
        found = prepared(draw(5, 0, Style(), ink=ink, paper=paper))
        assert np.abs(found.astype(int) - wanted).mean() < 3


@pytest.mark.parametrize("ink", ["black", "white"])
def test_what_is_transparent_is_paper(ink: str):
    on_paper = draw(3, 0, Style())
    clear = Image.new("RGBA", (PAD, PAD), (0, 0, 0, 0))
    clear.paste(Image.new("RGBA", (PAD, PAD), ink), mask=on_paper.convert("L").point(lambda v: 255 - v))
    assert np.abs(prepared(clear).astype(int) - prepared(on_paper)).mean() < 3


def test_place_and_size_on_the_pad_do_not_matter():
    wanted = prepared(draw(2, 0, Style(size=0.7, pen=20)))
    found = prepared(draw(2, 0, Style(size=0.35, x=0.3, y=0.7, pen=10)))
    assert np.abs(found.astype(int) - wanted).mean() < 6


def test_light_paper_for_a_network_that_learned_on_light_paper():
    np.testing.assert_array_equal(prepared(draw(7, 0, Style()), LIGHT), 255 - prepared(draw(7, 0, Style())))


@pytest.mark.parametrize(("preprocessing", "value"), [(GREY, 0), (LIGHT, 255)])
def test_nothing_drawn_is_a_blank_page(preprocessing: Preprocessing, value: int):
    for paper in ("white", "black", "#777"):
        assert (prepared(Image.new("RGB", (PAD, PAD), paper), preprocessing) == value).all()
    assert (prepared(Image.new("RGBA", (PAD, PAD), (0, 0, 0, 0)), preprocessing) == value).all()


def test_a_dot_is_drawn():
    image = Image.new("L", (PAD, PAD), 255)
    image.putpixel((7, 9), 0)
    assert prepared(image).max() > 100


def test_photographs_are_not_drawings():
    rng = np.random.default_rng(0)
    photo = Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8))
    colour = Preprocessing(height=32, width=32, channels=3, mean=[0.5] * 3, std=[0.2] * 3)
    np.testing.assert_array_equal(prepare_drawing(photo, colour), colour.apply(photo))


@pytest.mark.parametrize("width", [4, 9, 20])
def test_thickness_of_a_straight_line(width: int):
    sheet = np.zeros((60, 400))
    sheet[20 : 20 + width, :] = 1
    assert thickness(sheet) == pytest.approx(width, rel=0.15)
    assert thickness(np.zeros((5, 5))) == 0


@pytest.mark.parametrize("pen", [4, 10, 20, 40])
def test_any_pen_becomes_that_of_mnist(pen: int):
    fine = Image.fromarray(prepared(draw(0, 1, Style(pen=pen)))).resize((28 * FINE, 28 * FINE))
    assert thickness(np.asarray(fine) / 255) == pytest.approx(28 * FINE * MNIST.pen, rel=0.3)


def test_wide_and_flat_images_fit():
    line = Image.new("L", (600, 40), 255)
    ImageDraw.Draw(line).line([(10, 20), (590, 20)], fill=0, width=8)
    assert box(prepared(line))[1] == pytest.approx(20, abs=2)
    tall = Preprocessing(height=40, width=16, channels=1, mean=[0.1], std=[0.3])
    assert prepare_drawing(draw(1, 0, Style()), tall).shape == (40, 16, 1)


@pytest.mark.mnist
def test_an_lstm_trained_on_mnist_reads_drawings(linewise, tmp_path: Path, mnist_dir: Path):
    """All ways of writing in all styles; the same drawings only scaled down are read worse."""
    from linewise.models.saved import load_model
    from linewise.study.prediction import answers_of

    run = tmp_path / "run"
    said = linewise("train", mnist_dir, "--images", 15000, "--epochs", 3, "--out", run)
    assert said.code == 0, said.err
    saved = load_model(run)
    preprocessing = Preprocessing.model_validate(saved.card.preprocessing)
    drawn = [(d, draw(d, way, style, seed=d)) for style in STYLES.values() for d in WAYS for way in range(2)]
    digits_N = np.array([digit for digit, _ in drawn])
    accuracy = {}
    for name, prepare in {
        "prepared": lambda image: prepare_drawing(image, preprocessing),
        "scaled": lambda image: 255 - preprocessing.apply(image),
    }.items():
        answers_NK = answers_of(saved, np.stack([prepare(image) for _, image in drawn]))
        accuracy[name] = float((answers_NK.argmax(axis=1) == digits_N).mean())
    assert len(drawn) >= 50
    assert accuracy["prepared"] >= 0.9
    assert accuracy["scaled"] < accuracy["prepared"]

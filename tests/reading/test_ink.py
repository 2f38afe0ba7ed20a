"""Inked steps against a loop over pixels."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from linewise.reading import Reading, parse
from linewise.reading.ink import common_background, inked_steps, leading_blanks


def by_hand(image_HWC: np.ndarray, readings: tuple[Reading, ...]) -> tuple[int, int]:
    height, width, channels = image_HWC.shape
    common_C = [Counter(sorted(image_HWC[..., c].ravel().tolist())).most_common(1)[0][0] for c in range(channels)]
    inked: list[int] = []
    for reading in readings:
        for step, pixels_P in enumerate(reading.order(height, width).tolist(), start=1):
            for pixel in pixels_P:
                if pixel >= 0:
                    found_C = image_HWC[pixel // width, pixel % width].tolist()
                    if any(abs(f - c) > 25 for f, c in zip(found_C, common_C, strict=True)):
                        inked.append(step)
    num_steps = readings[0].num_steps(height, width)
    return (min(inked), max(inked)) if inked else (1, num_steps)


@pytest.mark.parametrize(
    "reading", ["rows", "columns", "rows5-stride2", "snake", "patches4", "rows-reversed", "rows+columns"]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_agrees_with_a_loop_over_pixels(reading: str, channels: int) -> None:
    rng = np.random.default_rng(channels)
    images_NHWC = np.full((40, 9, 9, channels), 30, dtype=np.uint8)
    for i, image_HWC in enumerate(images_NHWC[1:], start=1):
        for _ in range(i % 5):
            row, column = rng.integers(0, 9, 2)
            image_HWC[row, column, rng.integers(channels)] = rng.choice([0, 4, 5, 55, 56, 255])
    readings = parse(reading)
    first_N, last_N = inked_steps(images_NHWC, readings)
    assert list(zip(first_N.tolist(), last_N.tolist(), strict=True)) == [by_hand(i, readings) for i in images_NHWC]


def test_dark_ink_on_a_light_ground_is_ink_and_a_blank_page_is_read_whole() -> None:
    images_NHWC = np.full((2, 6, 4, 1), 255, dtype=np.uint8)
    images_NHWC[0, 2:5, 1] = 0
    first_N, last_N = inked_steps(images_NHWC, parse("rows"))
    assert first_N.tolist() == [3, 1]
    assert last_N.tolist() == [5, 6]


def test_a_photo_has_ink_in_every_step() -> None:
    images_NHWC = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    first_N, last_N = inked_steps(images_NHWC, parse("rows"))
    assert set(first_N.tolist()) == {1}
    assert set(last_N.tolist()) == {16}


def test_many_images_are_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    images_NHWC = (np.random.default_rng(0).random((50, 8, 8, 1)) < 0.03).astype(np.uint8) * 200
    whole = inked_steps(images_NHWC, parse("rows3"))
    monkeypatch.setattr("linewise.reading.ink.CHUNK", 500)
    for a_N, b_N in zip(inked_steps(images_NHWC, parse("rows3")), whole, strict=True):
        np.testing.assert_array_equal(a_N, b_N)


@pytest.mark.parametrize("reading", ["rows", "columns", "rows5-stride2", "rows-outwards", "rows+columns"])
def test_leading_blanks_by_a_loop(reading: str) -> None:
    rng = np.random.default_rng(1)
    images_NHWC = np.full((30, 8, 8, 3), [3, 0, 255], dtype=np.uint8)
    for i, image_HWC in enumerate(images_NHWC[1:], start=1):
        image_HWC[rng.integers(0, 8), rng.integers(0, 8), i % 3] = 9
    readings = parse(reading)
    blanks_N = leading_blanks(images_NHWC, readings, [3, 0, 255])
    assert blanks_N.dtype == np.int64
    for image_HWC, found in zip(images_NHWC, blanks_N, strict=True):
        pixels_PC = image_HWC.reshape(-1, 3)
        blank_T = [
            all((pixels_PC[p] == [3, 0, 255]).all() for r in readings for p in r.order(8, 8)[t] if p >= 0)
            for t in range(readings[0].num_steps(8, 8))
        ]
        assert found == (blank_T.index(False) if not all(blank_T) else len(blank_T))


def test_the_common_background_is_that_of_most_images() -> None:
    images_NHWC = np.full((5, 4, 4, 1), 7, dtype=np.uint8)
    images_NHWC[0] = 200
    images_NHWC[1:, 0] = 0
    assert common_background(images_NHWC) == [7]
    photos_NHWC = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)
    assert common_background(photos_NHWC) is None

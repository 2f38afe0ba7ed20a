"""Drawings of readings: the right pixels at the right time, in colours that can be told apart."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from linewise.reading import parse
from linewise.report.paths import EARLY_TO_LATE, MOST_FRAMES, PAPER, ReadingPath, draw_frames, draw_path


def path_of(name: str, height: int, width: int, channels: int = 1) -> ReadingPath:
    image_HWC = np.full((height, width, channels), 200, dtype=np.uint8)
    return ReadingPath(name, image_HWC, parse(name)[0].order(height, width))


@pytest.mark.parametrize("name", ["rows", "columns", "rows5-stride2", "hilbert", "permuted0", "patches3-zorder"])
@pytest.mark.parametrize("shape", [(28, 28, 1), (7, 20, 3), (1, 1, 1)])
def test_a_film_shows_what_was_read_and_nothing_more(name: str, shape: tuple[int, int, int]) -> None:
    path = path_of(name, *shape)
    frames = draw_frames(path)
    assert 1 <= len(frames) <= MOST_FRAMES
    per_frame = -(-path.num_steps // MOST_FRAMES)
    scale = path.scale
    for number, frame in enumerate(frames[:-1]):
        read = {p for held in path.order_TP[: (number + 1) * per_frame] for p in held if p >= 0}
        grey = np.asarray(frame.convert("L"))
        middles = grey[scale // 2 : shape[0] * scale : scale, scale // 2 : shape[1] * scale : scale]
        bright = {int(p) for p in np.flatnonzero(middles.ravel() > 150)}
        assert bright == read


def test_steps_are_numbered_as_they_are_read_first() -> None:
    path = path_of("rows5-stride2", 8, 2)
    assert path.first_read_HW[:, 0].tolist() == [0, 0, 0, 0, 0, 1, 1, 2]


def test_early_and_late_differ_in_lightness() -> None:
    lightness = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in EARLY_TO_LATE]
    assert all(b - a > 20 for a, b in pairwise(lightness))
    picture = np.asarray(draw_path(path_of("rows", 28, 28)).convert("L")).astype(int)
    assert picture[270, 10] - picture[5, 10] > 40


def test_the_path_starts_at_the_first_step_and_ends_at_the_last() -> None:
    path = path_of("snake", 4, 4)
    picture = np.asarray(draw_path(path))
    middle = path.scale // 2
    assert tuple(picture[middle, middle]) == PAPER
    assert picture[3 * path.scale + middle, middle, 0] > 200  # an orange square, lower left
    assert picture[3 * path.scale + middle, middle, 2] < 60


def test_a_path_that_leaps_about_is_not_drawn_whole() -> None:
    assert path_of("permuted0", 28, 28).jumps
    assert not path_of("hilbert", 28, 28).jumps
    assert not path_of("rows", 28, 28).jumps


def test_the_strip_holds_each_step_in_colour() -> None:
    image_HWC = np.random.default_rng(0).integers(0, 255, (4, 6, 3)).astype(np.uint8)
    path = ReadingPath("columns", image_HWC, parse("columns")[0].order(4, 6))
    assert np.array_equal(path.sequence_PTC, image_HWC)

"""`linewise readings`: what it lists, what it draws, what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from linewise.reading import EXAMPLES, parse

WIDE = 35  # 280 pixels on the screen for 8 of the image


def test_every_reading_is_listed_with_its_steps(linewise: Callable) -> None:
    said = linewise("readings")
    assert said.code == 0
    for name in EXAMPLES:
        (reading,) = parse(name)
        (line,) = [line for line in said.out.splitlines() if line.split()[:1] == [name]]
        assert line.split()[-2:] == [str(reading.num_steps(8, 8)), str(reading.num_features(1, 8, 8))]


def test_each_is_drawn_over_the_image_that_was_asked_for(linewise: Callable, tmp_path: Path) -> None:
    said = linewise("readings", "rows5-stride2", "snake", "--show", "--image", 3, "--out", tmp_path / "drawn")
    assert said.code == 0
    names = {"rows5-stride2.png", "rows5-stride2.gif", "snake.png", "snake.gif"}
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == names
    with Image.open(tmp_path / "drawn" / "snake.gif") as film:
        assert film.n_frames == 32  # 64 steps, at most 56 frames: two to a frame
        film.seek(film.n_frames - 1)
        pixels = np.asarray(film.convert("L"))[WIDE // 2 : 8 * WIDE : WIDE, WIDE // 2 : 8 * WIDE : WIDE]
    likeness = [np.corrcoef(pixels.ravel(), image.ravel())[0, 1] for image in load_digits().images]
    assert max(likeness) > 0.99  # at the end the whole image has been read
    with Image.open(tmp_path / "drawn" / "rows5-stride2.gif") as film:
        assert film.n_frames == parse("rows5-stride2")[0].num_steps(8, 8) == 3
        assert film.info["duration"] == 1000  # three frames, three seconds


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hilbrt", "--show"], "unknown reading 'hilbrt'"),
        (["rows-reversed-reversed", "--show"], "reading 'rows-reversed-reversed' is reversed twice\n"
         "  expected: -reversed once, or not at all"),
        (["rows", "--show", "--image", "99999"], "--image: image 99999\n  expected: 0 to 1,149"),
        (["rows", "--show", "--image", "-1"], "--image: image -1\n  expected: 0 to 1,149"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(
    linewise: Callable, tmp_path: Path, arguments: list[str], message: str
) -> None:
    said = linewise("readings", *arguments, "--out", tmp_path / "drawn")
    assert said.code == 2
    assert message in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "drawn").exists()


def test_a_file_where_the_folder_should_be_is_refused(linewise: Callable, tmp_path: Path) -> None:
    (tmp_path / "drawn").write_text("mine")
    said = linewise("readings", "rows", "--show", "--out", tmp_path / "drawn")
    assert said.code == 2
    assert f"{tmp_path / 'drawn'}: cannot be written" in said.err
    assert "choose another --out" in said.err
    assert (tmp_path / "drawn").read_text() == "mine"

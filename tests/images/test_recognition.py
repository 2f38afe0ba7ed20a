"""Files are recognised one by one as they are all at once, whatever lies among them."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from linewise.foundations.errors import DataError
from linewise.images.answering import Answered
from linewise.images.files import parallel
from linewise.images.files.asked import Source
from linewise.images.preprocessing import Preprocessing
from linewise.images.recognition import BATCH, Seen, recognise

SHAPE = Preprocessing(height=8, width=8, channels=1, mean=[0.0], std=[1.0])


class Brightness:
    """An answerer that sees how bright the first pixel is, and remembers how many images came together."""

    label, class_names, preprocessing = "brightness", ["dark", "middle", "bright"], SHAPE

    def __init__(self) -> None:
        self.batches: list[int] = []

    def probabilities(self, images_NHWC: np.ndarray) -> np.ndarray:
        self.batches.append(len(images_NHWC))
        bright_N = images_NHWC[:, 0, 0, 0] / 255
        return np.stack([0.9 * (1 - bright_N), np.full(len(bright_N), 0.1), 0.9 * bright_N], 1).astype(np.float32)


def files(folder: Path, count: int) -> list[Source]:
    found = []
    for i in range(count):
        path = folder / f"{i:05}.png"
        Image.new("L", (8, 8), i % 256).save(path)
        found.append(Source(str(path), path, path.name))
    return found


def test_answers_in_order_and_most_likely_first(tmp_path: Path) -> None:
    sources, answerer = files(tmp_path, 600), Brightness()
    found = list(recognise(answerer, sources, top=2))
    assert answerer.batches == [250, 250, 100]
    for i, seen in enumerate(found):
        assert isinstance(seen, Seen)
        assert (seen.answer.path, seen.source) == (sources[i].path, sources[i])
        assert (seen.image_HWC == i % 256).all()
        bright = i % 256 / 255
        wanted = sorted(
            {"dark": 0.9 * (1 - bright), "middle": 0.1, "bright": 0.9 * bright}.items(), key=lambda c: -c[1]
        )
        assert [likely.name for likely in seen.answer.top] == [name for name, _ in wanted[:2]]
        assert [likely.probability for likely in seen.answer.top] == pytest.approx(
            [p for _, p in wanted[:2]], abs=1e-6
        )


def test_what_cannot_be_read_stands_where_it_stood(tmp_path: Path) -> None:
    sources = files(tmp_path, 40)
    (tmp_path / "00003.png").write_bytes(b"nothing of the kind")
    (tmp_path / "00020.png").unlink()
    found = list(recognise(Brightness(), sources, top=1))
    errors = {i: str(e).splitlines()[0] for i, e in enumerate(found) if isinstance(e, DataError)}
    assert errors == {
        3: f"{tmp_path / '00003.png'}: is text, no image",
        20: f"{tmp_path / '00020.png'}: does not exist",
    }


def test_nothing_readable_asks_nobody(tmp_path: Path) -> None:
    answerer = Brightness()
    found = list(recognise(answerer, [Source("x", tmp_path / "x", "x")], top=1))
    assert isinstance(found[0], DataError)
    assert not answerer.batches
    assert list(recognise(answerer, [], top=1)) == []


def test_bytes_are_as_good_as_files(tmp_path: Path) -> None:
    (source,) = files(tmp_path, 1)
    assert isinstance(source.file, Path)
    (seen,) = recognise(Brightness(), [Source("-", source.file.read_bytes(), "stdin")], top=3)
    assert isinstance(seen, Seen)
    assert seen.answer.path == "-"


def test_another_way_to_ask_tells_what_was_read(tmp_path: Path) -> None:
    def ask(images_NHWC: np.ndarray) -> Answered:
        count = len(images_NHWC)
        return Answered(np.full((count, 3), 1 / 3, np.float32), 8, np.arange(count), np.arange(count) + 1)

    sources = files(tmp_path, 3)
    found = [s.answer for s in recognise(Brightness(), sources, 1, ask=ask) if isinstance(s, Seen)]
    assert [(a.read, a.steps, a.enough) for a in found] == [(0, 8, 1), (1, 8, 2), (2, 8, 3)]


def test_five_thousand_images_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded they would be 320 MB; bytes of one file stand for all, so that nothing but pixels can grow."""
    monkeypatch.setattr(parallel, "MANY", 10_000)  # in threads, whose memory is seen here

    class Large(Brightness):
        preprocessing = Preprocessing(height=256, width=250, channels=1, mean=[0.0], std=[1.0])

    file = io.BytesIO()
    Image.new("L", (250, 256), 9).save(file, "PNG")
    one, count = Source("x", file.getvalue(), "x"), 0
    tracemalloc.start()
    for seen in recognise(Large(), [one] * 5000, 1):
        count += isinstance(seen, Seen)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 5000
    assert most < 5 * BATCH * 256 * 250

"""Image files that are none, are damaged or odd: refused with their names, or warned of once, in the report too."""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from refusals import class_folders, refused

RANDOM = np.random.default_rng(3)
END = "\n  expected: whole images\n  to mend:  replace or remove them, or leave them out with --skip-unreadable"


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command writes without being told where would be seen here."""
    monkeypatch.chdir(tmp_path)


def saved(kind: str, image: Image.Image | None = None, **options: object) -> bytes:
    file = io.BytesIO()
    image = image or Image.fromarray(RANDOM.integers(0, 256, (64, 64, 3), np.uint8))
    image.save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, depth: int, kind: int, rows: bytes) -> bytes:
    """A PNG by hand; `kind` 0 is grey, 6 colour with alpha."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("zero.png", b"", "is empty"),
        ("note.png", b"a note, no picture\n", "is text, no image"),
        ("page.jpg", b"<html><body>404</body></html>", "is an HTML page, no image"),
        ("half.jpg", half(saved("JPEG")), "is cut off: the image ends early"),
        ("half.png", half(saved("PNG")), "is cut off: the image ends early"),
        ("bomb.png", png(9000, 9000, 1, 0, bytes(9000 * 1126)), "is 9,000 × 9,000 pixels, more than 50 megapixels"),
        ("huge.png", png(60_000, 60_000, 1, 0, b"\0"), "is far too large an image"),
        ("float.tif", saved("TIFF", Image.fromarray(np.full((8, 8), 9.5, np.float32))), "holds fractions beyond 0..1"),
        ("wide.tif", saved("TIFF", Image.fromarray(np.full((8, 8), 70_000, np.int32))), "holds whole numbers beyond 0..65535"),
    ],
)  # fmt: skip
def test_refused(linewise: Callable, tmp_path: Path, name: str, data: bytes, problem: str) -> None:
    root = class_folders(tmp_path / "pictures")
    (root / "cat" / name).write_bytes(data)
    said = refused(linewise, tmp_path, 3, "compare", root)
    assert said == f"DIR/pictures: 1 file cannot be used: cat/{name} {problem}{END}"


def test_all_are_named_up_to_five(linewise: Callable, tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pictures")
    for i in range(7):
        (root / "cat" / f"x{i}.png").touch()
    said = refused(linewise, tmp_path, 3, "compare", root)
    five = ", ".join(f"cat/x{i}.png is empty" for i in range(5))
    assert said == f"DIR/pictures: 7 files cannot be used: {five} and 2 more{END}"


def test_an_image_to_be_predicted(linewise: Callable, tmp_path: Path) -> None:
    """The cap is our own, and it is there for single images too."""
    from linewise.images import Preprocessing, read_image
    from linewise.images.options import ImageOptions

    grey = Preprocessing(height=8, width=8, channels=1, mean=[0.5], std=[0.5])
    path = tmp_path / "x.png"
    path.write_bytes(png(2000, 2000, 1, 0, bytes(2000 * 251)))
    assert read_image(path, grey).shape == (8, 8, 1)
    with pytest.raises(Exception, match="more than 3 megapixels") as caught:
        read_image(path, grey, options=ImageOptions(max_megapixels=3))
    assert str(caught.value).replace(str(tmp_path), "DIR") == (
        "DIR/x.png: is 2,000 × 2,000 pixels, more than 3 megapixels"
        "\n  expected: a PNG, JPEG, WebP, TIFF, BMP, GIF or PNM image"
        "\n  to mend:  replace the file by a whole image, or take it out"
    )


WARNINGS = [
    "2 files of file managers left out: cat/._x.png, cat/Thumbs.db",
    "1 file left out, no images in class folders: dog/notes.txt",
    "1 image of several frames, the first is taken: cat/moving.gif",
    "grey and colour mixed: 12 of 14 images are grey",
]


def test_warnings_are_said_once_and_are_in_the_report(linewise: Callable, tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pictures")
    for name in ("cat/Thumbs.db", "cat/._x.png"):
        (root / name).write_bytes(b"\0\5\x16\7")
    (root / "dog" / "notes.txt").write_text("good dogs")
    frames = [Image.fromarray(np.full((8, 8), value, np.uint8)).convert("P") for value in (40, 200)]
    frames[0].save(root / "cat" / "moving.gif", save_all=True, append_images=frames[1:])
    (root / "dog" / "x.JFIF").write_bytes(
        saved("JPEG", Image.fromarray(RANDOM.integers(0, 256, (8, 8, 3), np.uint8)))
    )
    said = linewise("compare", root, "--models", "linear", "--epochs", 1, "--seeds", 1, "--jobs", 0, "--batch-size", 4, "--out", tmp_path / "s")  # fmt: skip
    assert said.code == 0, said.err
    page = (tmp_path / "s" / "report" / "index.html").read_text(encoding="utf-8")
    told = " ".join((said.out + said.err).split())
    for warning in WARNINGS:
        assert told.count(warning) == 1, warning
        assert page.count(warning) == 1, warning


def test_the_same_image_under_two_labels(linewise: Callable, tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pictures", number=4)
    shutil.copy(root / "cat" / "0.png", root / "dog" / "copy.png")
    said = linewise("data", "check", root)
    told = " ".join(said.out.split())
    assert said.code == 0
    assert "1 image appears under more than one label, such as " in told
    assert "cat/0.png" in told
    assert "dog/copy.png" in told


LARGE = """
import sys
import numpy as np
from linewise.images.files.decode import decode
from linewise.images.preprocessing import Geometry
from memory import peak
before = peak()
decoded = decode(sys.argv[1], Geometry(height=8, width=8, channels=3), 50)
print(decoded if isinstance(decoded, str) else decoded.image_HWC.mean())
print((peak() - before) / 1e6)
"""


@pytest.mark.parametrize("orientation", range(9))
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "CMYK", "1", "I;16", "L", "RGB"])
def test_strips_make_the_whole(monkeypatch: pytest.MonkeyPatch, mode: str, orientation: int) -> None:
    """Turned and made plain in strips of three rows, as Pillow's own turn of the whole."""
    from PIL import ImageOps

    from linewise.images.files import pixels

    image = Image.fromarray(RANDOM.integers(0, 256, (11, 7, 4), np.uint8))
    image = (
        Image.fromarray(RANDOM.integers(0, 65536, (11, 7), np.uint16))
        if mode == "I;16"
        else image.convert("RGB").convert(mode)
        if mode in ("P", "CMYK", "1")
        else image.convert(mode)
    )
    if mode == "P":
        image.info["transparency"] = 3
    assert image.mode == mode
    image.getexif()[0x0112] = orientation
    expected = pixels.plain(ImageOps.exif_transpose(image))
    monkeypatch.setattr(pixels, "STRIP_PIXELS", 21)
    found = pixels.plain_upright(image)
    assert found.mode == expected.mode
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


@pytest.mark.parametrize(("depth", "kind", "bytes_each"), [(8, 6, 4), (16, 0, 2)], ids=["with alpha", "16 bit"])
def test_the_largest_image_that_is_taken_stays_below_half_a_gigabyte(
    tmp_path: Path, depth: int, kind: int, bytes_each: int
) -> None:
    """49 megapixels of full alpha, or of 16 bits, in some dozens of KB."""
    rows = (b"\0" + b"\xff" * (7000 * bytes_each)) * 7000
    (tmp_path / "x.png").write_bytes(png(7000, 7000, depth, kind, rows))
    del rows
    here = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])}
    command = [sys.executable, "-c", LARGE, tmp_path / "x.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=here)
    mean, megabytes = done.stdout.split()
    assert mean == "255.0"
    assert float(megabytes) < 512

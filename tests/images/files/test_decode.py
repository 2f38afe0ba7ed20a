"""Image files of every kind, written by Pillow or by hand, against the arrays they were made from."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from linewise.images import Preprocessing, read_image
from linewise.images.files.decode import Header, read_header, starts_an_image

GREY = Preprocessing(height=8, width=8, channels=1, mean=[0.5], std=[0.5])
COLOUR = Preprocessing(height=8, width=8, channels=3, mean=[0.5] * 3, std=[0.5] * 3)
RANDOM = np.random.default_rng(1)
GREY_HW = RANDOM.integers(0, 256, (8, 8), np.uint8)
RGB_HWC = RANDOM.integers(0, 256, (8, 8, 3), np.uint8)
EXPECTED = "\n  expected: a PNG, JPEG, WebP, TIFF, BMP, GIF or PNM image"
MEND = "\n  to mend:  replace the file by a whole image, or take it out"


def png(width: int, height: int, depth: int, kind: int, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file by hand, from raw rows without filters."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    middle = b"".join(chunk(*c) for c in chunks)
    return b"\x89PNG\r\n\x1a\n" + header + middle + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def png16(values_HW: np.ndarray) -> bytes:
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values_HW)
    return png(values_HW.shape[1], values_HW.shape[0], 16, 0, rows)


def test_16_bit_png_is_scaled_not_cut_off():
    values = (GREY_HW.astype(np.uint16) * 257).reshape(8, 8)
    image = read_image(io.BytesIO(png16(values)), GREY)
    np.testing.assert_array_equal(image[..., 0], GREY_HW)


@pytest.mark.parametrize("format", ["TIFF", "PPM", "PNG"])
def test_16_bit_in_other_files(format, tmp_path):
    values = (GREY_HW.astype(np.uint16) * 257).reshape(8, 8)
    Image.fromarray(values).save(tmp_path / "x", format)
    np.testing.assert_array_equal(read_image(tmp_path / "x", GREY)[..., 0], GREY_HW)


def test_one_bit_is_black_and_white(tmp_path):
    bits = GREY_HW > 127
    Image.fromarray(bits).save(tmp_path / "x.png")
    np.testing.assert_array_equal(read_image(tmp_path / "x.png", GREY)[..., 0], bits * np.uint8(255))


def test_fractions_in_a_tiff(tmp_path):
    Image.fromarray((GREY_HW / 255).astype(np.float32)).save(tmp_path / "x.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "x.tif", GREY)[..., 0], GREY_HW)


def test_fractions_without_a_scale_are_refused(tmp_path, refusal):
    Image.fromarray(np.full((8, 8), 7.5, np.float32)).save(tmp_path / "x.tif")
    message = refusal(lambda: read_image(tmp_path / "x.tif", GREY))
    assert message == "DIR/x.tif: holds fractions beyond 0..1" + EXPECTED + MEND


def test_palette(tmp_path):
    few = RGB_HWC // 128 * 128  # at most eight colours: a palette loses nothing
    Image.fromarray(few).convert("P", palette=Image.Palette.ADAPTIVE, colors=8).save(tmp_path / "x.png")
    np.testing.assert_array_equal(read_image(tmp_path / "x.png", COLOUR), few)


def test_palette_with_alpha():
    """Index 0 is transparent red, index 1 opaque blue: red must not be seen."""
    rows = b"".join(b"\0" + bytes([0, 1] * 4) for _ in range(8))
    data = png(8, 8, 8, 3, rows, (b"PLTE", bytes([255, 0, 0, 0, 0, 255])), (b"tRNS", bytes([0, 255])))
    image = read_image(io.BytesIO(data), COLOUR)
    np.testing.assert_array_equal(image[:, ::2], np.full((8, 4, 3), 255))
    np.testing.assert_array_equal(image[:, 1::2], np.broadcast_to([0, 0, 255], (8, 4, 3)))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_colour_hidden_under_alpha_does_not_matter(tmp_path, mode):
    alpha = np.where(np.arange(64).reshape(8, 8) % 3 == 0, 0, 255).astype(np.uint8)
    seen = []
    for hidden in (0, 99):
        rgb = np.where(alpha[..., None] == 0, hidden, RGB_HWC).astype(np.uint8)
        layers = np.dstack([rgb, alpha]) if mode == "RGBA" else np.dstack([rgb[..., 0], alpha])
        Image.fromarray(layers, mode=None).save(tmp_path / f"{hidden}.png")
        seen.append(read_image(tmp_path / f"{hidden}.png", COLOUR))
    np.testing.assert_array_equal(*seen)
    assert (seen[0][alpha == 0] == 255).all()  # transparent is white
    opaque = RGB_HWC if mode == "RGBA" else np.repeat(RGB_HWC[..., :1], 3, 2)
    np.testing.assert_array_equal(seen[0][alpha == 255], opaque[alpha == 255])


def test_half_transparent_on_white(tmp_path):
    layers = np.dstack([np.zeros((8, 8, 3), np.uint8), np.full((8, 8), 128, np.uint8)])
    Image.fromarray(layers).save(tmp_path / "x.png")
    assert set(np.unique(read_image(tmp_path / "x.png", COLOUR))) == {127}  # 255 × (1 - 128/255)


def test_cmyk(tmp_path):
    cmyk = np.zeros((8, 8, 4), np.uint8)
    cmyk[:4, :, 0] = 255  # cyan above, key (black) below
    cmyk[4:, :, 3] = 255
    Image.fromarray(cmyk, mode="CMYK").save(tmp_path / "x.tif")
    image = read_image(tmp_path / "x.tif", COLOUR)
    np.testing.assert_array_equal(image[:4], np.broadcast_to([0, 255, 255], (4, 8, 3)))
    np.testing.assert_array_equal(image[4:], 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    """Each file is stored turned, with the tag that turns it back; NumPy's own turns are the reference."""
    stored = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: np.swapaxes(a, 0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.swapaxes(np.rot90(a, 2), 0, 1),
        8: lambda a: np.rot90(a, -1),
    }[orientation](RGB_HWC)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "x.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "x.png", COLOUR), RGB_HWC)


def test_exif_that_is_damaged_is_ignored(tmp_path):
    Image.fromarray(RGB_HWC).save(tmp_path / "x.png", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    np.testing.assert_array_equal(read_image(tmp_path / "x.png", COLOUR), RGB_HWC)


def test_grey_and_colour(tmp_path):
    Image.fromarray(GREY_HW).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png", COLOUR), np.repeat(GREY_HW[..., None], 3, 2))
    Image.fromarray(RGB_HWC).save(tmp_path / "colour.png")
    luma = RGB_HWC @ np.array([0.299, 0.587, 0.114])  # ITU-R 601
    assert np.abs(read_image(tmp_path / "colour.png", GREY)[..., 0] - luma).max() <= 1


def test_animated_gif_gives_its_first_frame(tmp_path):
    frames = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (40, 200)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert (read_image(tmp_path / "x.gif", GREY) == 40).all()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("zero.png", b"", "is empty"),
        ("text.png", b"this is a note, not a picture\n", "is text, no image"),
        ("page.jpg", b"<!DOCTYPE html><html></html>", "is an HTML page, no image"),
        ("noise.png", bytes(range(128, 256)), "is no image"),
    ],
)
def test_no_images(tmp_path, refusal, name, data, message):
    (tmp_path / name).write_bytes(data)
    assert refusal(lambda: read_image(tmp_path / name, GREY)) == f"DIR/{name}: {message}" + EXPECTED + MEND


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_file_cut_in_half(tmp_path, refusal, format):
    whole = io.BytesIO()
    Image.fromarray(RANDOM.integers(0, 256, (64, 64, 3), np.uint8)).save(whole, format)
    (tmp_path / "half").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    message = refusal(lambda: read_image(tmp_path / "half", COLOUR))
    problem = message.removeprefix("DIR/half: ").removesuffix(EXPECTED + MEND)
    assert problem in {"is cut off: the image ends early", "is damaged: it cannot be decoded", "is no image"}
    if format in ("JPEG", "PNG"):
        assert problem == "is cut off: the image ends early"


def test_large_image_is_refused_from_its_header(tmp_path, refusal):
    data = png(9000, 9000, 1, 0, bytes(9000 * (1 + 1125)))
    (tmp_path / "bomb.png").write_bytes(data)
    assert len(data) < 12_000
    assert refusal(lambda: read_image(tmp_path / "bomb.png", GREY)) == (
        "DIR/bomb.png: is 9,000 × 9,000 pixels, more than 50 megapixels" + EXPECTED + MEND
    )


def test_enormous_image(tmp_path, refusal):
    (tmp_path / "bomb.png").write_bytes(png(60000, 60000, 1, 0, b"\0"))
    message = refusal(lambda: read_image(tmp_path / "bomb.png", GREY))
    assert message == "DIR/bomb.png: is far too large an image" + EXPECTED + MEND


def test_missing_file_and_folder(tmp_path, refusal):
    assert refusal(lambda: read_image(tmp_path / "no.png", GREY)) == "DIR/no.png: does not exist" + EXPECTED + MEND
    assert refusal(lambda: read_image(tmp_path, GREY)) == "DIR: is not a regular file" + EXPECTED + MEND


def test_postscript_is_never_given_to_pillow(tmp_path, refusal):
    (tmp_path / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n")
    message = refusal(lambda: read_image(tmp_path / "x.png", GREY))
    assert message == "DIR/x.png: is text, no image" + EXPECTED + MEND


def test_path_and_open_file_give_the_same(tmp_path: Path):
    Image.fromarray(RGB_HWC).resize((50, 30)).save(tmp_path / "x.jpg")
    with open(tmp_path / "x.jpg", "rb") as file:
        np.testing.assert_array_equal(read_image(file, COLOUR), read_image(tmp_path / "x.jpg", COLOUR))


@pytest.mark.parametrize("orientation", range(10))
def test_a_header_says_the_size_as_it_is_shown(tmp_path: Path, orientation: int) -> None:
    """Orientations 5 to 8 lie on their side (EXIF 2.32, tag 0x0112); others are upright, those unknown as well."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.zeros((7, 4, 3), np.uint8))
    image.save(tmp_path / "x.png", exif=exif)
    turned = 5 <= orientation <= 8
    assert read_header(tmp_path / "x.png", 1) == Header(4 if turned else 7, 7 if turned else 4, "RGB", 1)
    assert read_image(tmp_path / "x.png", COLOUR).shape == (8, 8, 3)


def test_a_header_without_exif_with_a_broken_one_and_with_frames(tmp_path: Path) -> None:
    grey = Image.fromarray(np.zeros((7, 4), np.uint8))
    grey.save(tmp_path / "x.png")
    assert read_header(str(tmp_path / "x.png"), 1) == Header(7, 4, "L", 1)
    (tmp_path / "y.png").write_bytes(png(4, 7, 8, 0, bytes(35), (b"eXIf", b"no exif at all")))
    assert read_header(tmp_path / "y.png", 1) == Header(7, 4, "L", 1)
    grey.save(tmp_path / "x.pgm")  # of a kind that never has frames
    assert read_header(tmp_path / "x.pgm", 1) == Header(7, 4, "L", 1)
    grey.save(tmp_path / "x.gif", save_all=True, append_images=[Image.fromarray(np.full((7, 4), 9, np.uint8))])
    header = read_header(io.BytesIO((tmp_path / "x.gif").read_bytes()), 1)
    assert isinstance(header, Header)
    assert (header.height, header.width, header.frames) == (7, 4, 2)


def test_what_a_header_cannot_say(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((1000, 2001), np.uint8)).save(tmp_path / "x.png")
    assert read_header(tmp_path / "x.png", 2) == "is 1,000 × 2,001 pixels, more than 2 megapixels"
    assert read_header(tmp_path / "x.png", 2.001) == Header(1000, 2001, "L", 1)  # not one pixel more
    assert read_header(tmp_path / "y.png", 2) == "does not exist"
    assert read_header(tmp_path, 2) == "is not a regular file"
    assert read_header(io.BytesIO(b"text"), 2) == "is no image"
    (tmp_path / "z.png").write_text("<HTML> says that the page was not found")
    assert read_header(tmp_path / "z.png", 2) == "is an HTML page, no image"


def test_how_an_image_begins(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(GREY_HW).save(file, "PNG")
    whole = file.getvalue()
    assert [starts_an_image(data) for data in (whole, whole[:-20], b"", b"text", whole[8:])] == [
        True, True, False, False, False,
    ]  # fmt: skip
    assert starts_an_image(png(100_000, 100_000, 8, 0, b""))  # far too large, but an image

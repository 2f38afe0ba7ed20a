"""Loaders of images: IDX, CSV, npz, image files."""

from __future__ import annotations

import gzip
import io
import random
import struct

import numpy as np
from PIL import Image, features

from fuzzing.mutators import spoil_bytes, spoil_png, spoil_zip
from fuzzing.targets import Target
from linewise.foundations.errors import DataError
from linewise.images import check
from linewise.images.files.decode import Decoded, Header, decode, read_header
from linewise.images.preprocessing import Geometry

RANDOM = np.random.default_rng(4)
IMAGES = RANDOM.integers(0, 256, (24, 4, 4), np.uint8)
LABELS = np.arange(24, dtype=np.uint8) % 2


def idx(array: np.ndarray) -> bytes:
    code = {"u1": 8, "i4": 0x0C, "f8": 0x0E}[array.dtype.str[1:]]
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


class Idx(Target):
    """The first byte says which of the two files the rest becomes."""

    name = "idx"
    files = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")

    def prepare(self) -> None:
        self.whole = [idx(IMAGES), idx(LABELS)]
        self.spoilt = 0
        for name, data in zip(self.files, self.whole, strict=True):
            (self.folder / name).write_bytes(data)

    def seeds(self) -> list[bytes]:
        kinds = [idx(IMAGES), idx(IMAGES.astype(np.int32)), idx(IMAGES / 255), gzip.compress(idx(IMAGES), mtime=0)]
        labels = [idx(LABELS), idx(LABELS.astype(np.int32)), gzip.compress(idx(LABELS), mtime=0)]
        return [b"\0" + data for data in kinds] + [b"\1" + data for data in labels]

    @staticmethod
    def spoil(rng: random.Random, data: bytes) -> bytes:
        first, rest = data[:1], data[1:]
        if rest[:2] == b"\x1f\x8b" and rng.random() < 0.6:
            try:
                return first + gzip.compress(spoil_bytes(rng, gzip.decompress(rest)), mtime=0)
            except Exception:  # spoilt before
                return spoil_bytes(rng, data)
        return first + spoil_bytes(rng, rest)

    def feed(self, data: bytes) -> None:
        (self.folder / self.files[self.spoilt]).write_bytes(self.whole[self.spoilt])
        self.spoilt = data[0] & 1 if data else 0
        (self.folder / self.files[self.spoilt]).write_bytes(data[1:])
        look(check(self.folder))


class Csv(Target):
    name = "csv"

    def seeds(self) -> list[bytes]:
        rows = [",".join([str(k), *map(str, image.ravel())]) for k, image in zip(LABELS, IMAGES, strict=True)]
        head = "label," + ",".join(f"p{i}" for i in range(16))
        texts = [
            "\n".join([head, *rows]),
            "\n".join(rows),
            "\ufeff" + "\r\n".join([head, *rows]).replace(",", ";"),
            "\n".join([head, *(f"{'猫犬'[i % 2]}{row[1:]}" for i, row in enumerate(rows))]),
        ]
        return [text.encode() for text in texts]

    def feed(self, data: bytes) -> None:
        path = self.folder / "x.csv"
        path.write_bytes(data)
        look(check(path))


class Npz(Target):
    name = "npz"
    spoil = staticmethod(spoil_zip)

    def seeds(self) -> list[bytes]:
        found = []
        for save, arrays in (
            (np.savez, {"images": IMAGES, "labels": LABELS}),
            (np.savez_compressed, {"x_train": IMAGES / 255, "y_train": LABELS[:, None], "x_test": IMAGES[:4] / 254, "y_test": LABELS[:4]}),
            (np.savez, {"images": np.stack([IMAGES] * 3, axis=3), "labels": np.array(["a", "猫"])[LABELS]}),
        ):  # fmt: skip
            file = io.BytesIO()
            save(file, **arrays)
            found.append(file.getvalue())
        return found

    def feed(self, data: bytes) -> None:
        path = self.folder / "x.npz"
        path.write_bytes(data)
        look(check(path))


class ImageFile(Target):
    """An entry of a folder: its header, then its pixels."""

    name = "image"
    spoil = staticmethod(spoil_png)
    geometry = Geometry(height=8, width=8, channels=3)

    def seeds(self) -> list[bytes]:
        colour = Image.fromarray(RANDOM.integers(0, 256, (12, 10, 3), np.uint8))
        grey, alpha = colour.convert("L"), colour.convert("RGBA")
        deep = Image.fromarray(RANDOM.integers(0, 65536, (12, 10), np.uint16))
        few = colour.convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
        exif = Image.Exif()
        exif[0x0112] = 6
        asked = [
            (colour, "PNG", {"exif": exif}), (grey, "PNG", {}), (alpha, "PNG", {}), (deep, "PNG", {}),
            (few, "PNG", {"transparency": 0}), (grey.convert("1"), "PNG", {}), (colour, "JPEG", {"exif": exif}),
            (colour, "JPEG", {"progressive": True}), (colour.convert("CMYK"), "JPEG", {}), (few, "GIF", {}),
            (grey, "GIF", {"save_all": True, "append_images": [grey.rotate(90)]}), (colour, "BMP", {}),
            (colour, "TIFF", {}), (alpha, "TIFF", {"compression": "tiff_lzw"}), (deep, "TIFF", {}), (colour, "PPM", {}),
            (colour, "WEBP", {}), (alpha, "WEBP", {"lossless": True}), (colour, "JPEG2000", {}), (colour, "AVIF", {}),
        ]  # fmt: skip
        found = []
        for image, kind, options in asked:
            feature = {"WEBP": "webp", "JPEG2000": "jpg_2000", "AVIF": "avif"}.get(kind)
            if feature is None or features.check(feature):
                file = io.BytesIO()
                image.save(file, kind, **options)
                found.append(file.getvalue())
        return found

    def feed(self, data: bytes) -> None:
        path = self.folder / "x.png"
        path.write_bytes(data)
        header, outcome = read_header(path, 50), decode(path, self.geometry, 50)
        assert isinstance(header, Header | str)
        if isinstance(outcome, Decoded):
            assert outcome.image_HWC.shape == (8, 8, 3)
            assert outcome.image_HWC.dtype == np.uint8
        else:
            raise DataError(outcome)


def look(result) -> None:
    """The check as a record, as every study keeps it; bad data as the error it would be."""
    result.model_validate_json(result.model_dump_json())
    if result.errors:
        raise DataError(result.errors[0])

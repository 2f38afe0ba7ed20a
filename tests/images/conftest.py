"""Makers of real files of every kind, and whole error messages with the test's own folder left out."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from linewise.foundations.errors import DataError, LinewiseError

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array: np.ndarray) -> bytes:
    """An IDX file as its format is described, written without Linewise."""
    kind = f"{array.dtype.kind}{array.dtype.itemsize}"
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, CODES[kind], array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture(scope="session")
def as_idx() -> Callable[[np.ndarray], bytes]:
    return idx_bytes


@pytest.fixture
def refusal(tmp_path: Path) -> Callable[..., str]:
    """The whole message of the error that a call raises; the test's folder is called DIR."""

    def run(call: Callable[[], object], kind: type[LinewiseError] = DataError) -> str:
        with pytest.raises(kind) as caught:
            call()
        return str(caught.value).replace(str(tmp_path), "DIR")

    return run


@pytest.fixture
def idx_folder(tmp_path: Path) -> Callable[..., Path]:
    """MNIST in small: 40 training and 20 test images of 4 classes, 6×5, all different."""

    def make(name: str = "small", *, packed: bool = True, suffix: str = ".gz", **replaced: bytes) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        generator = np.random.default_rng(5)
        for split, number in (("train", 40), ("t10k", 20)):
            images = generator.integers(0, 256, (number, 6, 5), np.uint8)
            labels = (np.arange(number) % 4).astype(np.uint8)
            for what, array in (("images-idx3", images), ("labels-idx1", labels)):
                data = replaced.get(f"{split}_{what[:6]}", idx_bytes(array))
                path = folder / f"{split}-{what}-ubyte{suffix}"
                path.write_bytes(gzip.compress(data) if packed else data)
        return folder

    return make


@pytest.fixture
def class_folders(tmp_path: Path) -> Callable[..., Path]:
    """A folder with `number` different 8×8 PNG images per class, of the given mode."""

    def make(
        name: str = "pictures",
        classes: tuple[str, ...] = ("cat", "dog"),
        number: int = 6,
        mode: str = "RGB",
        seed: int = 0,
        size: tuple[int, int] = (8, 8),
    ) -> Path:
        generator = np.random.default_rng(seed)
        root = tmp_path / name
        for label in classes:
            (root / label).mkdir(parents=True)
            for i in range(number):
                array = generator.integers(0, 256, (*size, 3), np.uint8)
                Image.fromarray(array).convert(mode).save(root / label / f"{i}.png")
        return root

    return make

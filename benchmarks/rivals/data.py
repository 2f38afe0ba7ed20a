"""MNIST as both rivals and `linewise compare mnist --images 40000` have it: IDX files read by hand.

Only numpy, so that the environment of a rival needs nothing of Linewise.
"""

from __future__ import annotations

import argparse
import gzip
import os
from pathlib import Path

import numpy as np


def read_idx(path: Path) -> np.ndarray:
    """A gzipped IDX file of unsigned bytes."""
    data = gzip.decompress(path.read_bytes())
    sides = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(data[3])]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * len(sides)).reshape(sides)


def mnist(folder: Path, images: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The first `images` training images and all test images, uint8 `NHW`, with their labels."""
    x_NHW, y_N, test_x_NHW, test_y_N = (
        read_idx(folder / f"{name}.gz")
        for name in (
            "train-images-idx3-ubyte",
            "train-labels-idx1-ubyte",
            "t10k-images-idx3-ubyte",
            "t10k-labels-idx1-ubyte",
        )
    )
    return x_NHW[:images], y_N[:images], test_x_NHW, test_y_N


def arguments(about: str, batch_size: int, until: bool = False) -> argparse.Namespace:
    """What both rivals are told; with `until`, those who can stop at an accuracy."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("model", choices=["lstm", "gru", "cnn"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("--batch-size", type=int, default=batch_size)
    if until:
        parser.add_argument("--until", type=float, help="Stop at this test accuracy.")
        parser.add_argument("--at-most", type=int, default=15, help="Epochs, with --until.")
    home = os.environ.get("LINEWISE_DATA")
    parser.add_argument("--data", type=Path, default=Path(home) / "mnist" if home else None, required=not home)
    return parser.parse_args()

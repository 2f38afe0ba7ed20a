"""A folder of as many small JPEG files as one likes, made from a seed: stripes whose direction is the class.

    python benchmarks/large_images.py FOLDER --images 1000000

The direction is all that tells the classes apart: phase, width and colours of the stripes are random, and coarse
noise lies over them. No two images are the same.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

SIDE, CLASSES, BLOCK = 64, 10, 1000


def images(seed: int, block: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Images `NHWC`, uint8, and their classes; the same for the same seed and block."""
    rng = np.random.default_rng([seed, block])
    labels_N = (block * BLOCK + np.arange(number)) % CLASSES
    angle_N11 = (labels_N + rng.uniform(-0.3, 0.3, number))[:, None, None].astype(np.float32) * (np.pi / CLASSES)
    cycles_N11, phase_N11 = rng.uniform((3, 0), (6, 2 * np.pi), (number, 2)).astype(np.float32).T[..., None, None]
    place = np.arange(SIDE, dtype=np.float32) / SIDE * (2 * np.pi)
    along_NHW = place[:, None] * np.cos(angle_N11) + place * np.sin(angle_N11)
    wave_NHW1 = 0.5 + 0.5 * np.sin(along_NHW * cycles_N11 + phase_N11)[..., None]
    dark_N3, light_N3 = rng.uniform(20, 110, (number, 3)), rng.uniform(130, 220, (number, 3))
    spread_N113 = (light_N3 - dark_N3)[:, None, None].astype(np.float32)
    noise_NHW1 = rng.normal(0, 12, (number, SIDE // 8, SIDE // 8)).astype(np.float32)
    noise_NHW1 = noise_NHW1.repeat(8, 1).repeat(8, 2)[..., None]
    x_NHWC = wave_NHW1 * spread_N113 + dark_N3[:, None, None].astype(np.float32) + noise_NHW1
    return x_NHWC.clip(0, 255).astype(np.uint8), labels_N


def write(folder: Path, seed: int, total: int, block: int) -> int:
    """Write the files of one block; how many there are."""
    number = min(BLOCK, total - block * BLOCK)
    for i, (image_HWC, label) in enumerate(zip(*images(seed, block, number), strict=True), block * BLOCK):
        packed = BytesIO()
        Image.fromarray(image_HWC).save(packed, "JPEG", quality=80)
        (folder / f"direction-{label}" / f"{i:07}.jpg").write_bytes(packed.getbuffer())
    return number


def make(folder: Path, total: int, seed: int = 0, processes: int = 2) -> None:
    """Fill `folder` with class folders."""
    for label in range(CLASSES):
        (folder / f"direction-{label}").mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(processes) as pool:
        sum(pool.map(partial(write, folder, seed, total), range(-(-total // BLOCK)), chunksize=10))


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("folder", type=Path)
    asked.add_argument("--images", type=int, default=1_000_000)
    asked.add_argument("--seed", type=int, default=0)
    given = asked.parse_args()
    make(given.folder, given.images, given.seed)

"""The 1,797 real handwritten digits, 8×8, that come inside scikit-learn (Alpaydin & Kaynak 1998)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from linewise.images.checking.findings import Findings
from linewise.images.sources.base import Found, RawPart

ABOUT = "1,797 handwritten digits, 8×8 grey"
INSIDE = Path("datasets", "data", "digits.csv.gz")


def read_digits(findings: Findings) -> Found:
    """All of them, without splits; values 0..16 become 0..255, each its own."""
    images_NHW, labels_N = embedded_digits()
    images_NHWC = images_NHW[..., None]
    findings.sizes[8, 8] += len(images_NHWC)
    findings.modes["grey"] += len(images_NHWC)
    return Found({"train": RawPart(images_NHWC, labels_N.astype(str))}, coloured=False)


def embedded_digits() -> tuple[np.ndarray, np.ndarray]:
    """Images (1797, 8, 8) uint8, 0..255, and the digits (1797,) that they show.

    The file is read where it lies: `sklearn.datasets.load_digits` brings SciPy and pandas along, over a second of
    every start. Should the file have moved, that function is asked.
    """
    package = find_spec("sklearn")
    file = Path(package.origin).parent / INSIDE if package and package.origin else None
    if file and file.is_file():
        table = np.loadtxt(file, delimiter=",")
        pixels_ND, labels_N = table[:, :-1], table[:, -1].astype(np.int64)
    else:
        from sklearn.datasets import load_digits

        pixels_ND, labels_N = load_digits(return_X_y=True)
    return np.rint(np.asarray(pixels_ND).reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8), np.asarray(labels_N)

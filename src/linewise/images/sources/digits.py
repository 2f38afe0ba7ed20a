"""The 1,797 real handwritten digits, 8×8, that come inside scikit-learn (Alpaydin & Kaynak 1998)."""

from __future__ import annotations

import numpy as np

from linewise.images.checking.findings import Findings
from linewise.images.sources.base import Found, RawPart

ABOUT = "1,797 handwritten digits, 8×8 grey"


def read_digits(findings: Findings) -> Found:
    """All of them, without splits; values 0..16 become 0..255, each its own."""
    from sklearn.datasets import load_digits

    pixels_ND, labels_N = load_digits(return_X_y=True)
    images_NHWC = np.rint(np.asarray(pixels_ND).reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    findings.sizes[8, 8] += len(images_NHWC)
    findings.modes["grey"] += len(images_NHWC)
    return Found({"train": RawPart(images_NHWC, np.asarray(labels_N).astype(str))}, coloured=False)

"""The images behind the numbers, as one sprite sheet, and who answered what."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from linewise.analysis.evidence import Evidence
from linewise.foundations.errors import DataError

MOST_BYTES = 6_000_000
"""Uncompressed bytes of the sheet; more images are left out, those most often wrong are kept."""
COLUMNS = 40
SHOWN_AT_LEAST = 48
"""Pixels on the screen of the longer side of an image."""


@dataclass(frozen=True)
class Pictures:
    """Images that can be shown.

    Attributes:
        indices_G: their positions in the test set, ascending.
        images_GHWC: uint8.
        runs: label of the network of each run, in the order of `answers_GR`.
        answers_GR: predicted class by image and run.
        labels_G: true classes.
        num_left_out: images that the study keeps but the page does not.
    """

    indices_G: np.ndarray
    images_GHWC: np.ndarray
    runs: list[str]
    answers_GR: np.ndarray
    labels_G: np.ndarray
    num_left_out: int

    @cached_property
    def places(self) -> dict[int, int]:
        """Place in the sheet by position in the test set."""
        return {int(index): place for place, index in enumerate(self.indices_G)}

    @property
    def scale(self) -> int:
        """Whole-number magnification on the screen."""
        return max(1, round(SHOWN_AT_LEAST / max(self.images_GHWC.shape[1:3])))

    def position(self, place: int) -> str:
        """Where an image lies in the sheet on the screen, as CSS says it."""
        height, width = (side * self.scale for side in self.images_GHWC.shape[1:3])
        return f"{-(place % COLUMNS) * width}px {-(place // COLUMNS) * height}px"

    def style(self) -> str:
        """CSS of all pictures: size on the screen and the sheet behind them."""
        height, width = (side * self.scale for side in self.images_GHWC.shape[1:3])
        rows = -(-len(self.indices_G) // COLUMNS)
        return (
            f"width:{width}px;height:{height}px;background-size:{COLUMNS * width}px {rows * height}px;"
            f'background-image:url("{self.sheet()}")'
        )

    def sheet(self) -> str:
        """All images side by side as a PNG, a `data:` address."""
        count, height, width, channels = self.images_GHWC.shape
        rows = -(-count // COLUMNS)
        sheet = np.full((rows * height, COLUMNS * width, channels), 255, dtype=np.uint8)
        for place, image in enumerate(self.images_GHWC):
            top, left = place // COLUMNS * height, place % COLUMNS * width
            sheet[top : top + height, left : left + width] = image
        file = io.BytesIO()
        Image.fromarray(sheet[:, :, 0] if channels == 1 else sheet).save(file, "PNG", optimize=True)
        return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()

    def as_json(self) -> dict[str, Any]:
        """What the page's script needs: geometry, answers, runs."""
        _, height, width, _ = self.images_GHWC.shape
        return {
            "height": height,
            "width": width,
            "scale": self.scale,
            "columns": COLUMNS,
            "index": self.indices_G.tolist(),
            "label": self.labels_G.tolist(),
            "runs": self.runs,
            "answers": self.answers_GR.tolist(),
        }


def pictures(evidence: Evidence) -> Pictures | None:
    """Images of the study's gallery with the answers of every run; None before the test."""
    gallery = evidence.folder.gallery()
    runs, answers = [], []
    for network in evidence.networks:
        if network.spec.name != "majority":
            for found in network.answers("test"):
                runs.append(network.label)
                answers.append(found.predicted_N)
    if gallery is None or not len(gallery.indices_G) or not runs:
        return None
    answers_NR = np.stack(answers, axis=1)
    last = int(gallery.indices_G.max())
    if gallery.indices_G.min() < 0 or last >= len(answers_NR):
        raise DataError(
            f"image {last:,} of {len(answers_NR):,} test images"
            if last >= len(answers_NR)
            else "a negative position in the test set",
            where=str(evidence.folder.gallery_path),
            expected="positions in the test set of this study",
            mend="remove this file; the report is then made without pictures",
        )
    labels_G = evidence.labels_N[gallery.indices_G]
    wrong_G = (answers_NR[gallery.indices_G] != labels_G[:, None]).sum(axis=1)
    most = max(50, MOST_BYTES // int(np.prod(gallery.images_GHWC.shape[1:])))
    kept = np.sort(np.argsort(-wrong_G, kind="stable")[:most])
    return Pictures(
        gallery.indices_G[kept],
        gallery.images_GHWC[kept],
        runs,
        answers_NR[gallery.indices_G[kept]],
        labels_G[kept],
        len(wrong_G) - len(kept),
    )

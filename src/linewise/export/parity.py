"""Whether a file answers as torch does: on images, at several batch sizes, sizes and numbers of steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import torch

from linewise.export.card import AnySize
from linewise.export.forms import torchs
from linewise.export.onnx_model import OnnxModel
from linewise.export.opening import IMAGES, LOGITS, STEP_LOGITS
from linewise.foundations.errors import LinewiseError
from linewise.images.preprocessing import Geometry
from linewise.models.network import Network
from linewise.models.recurrent.network import RecurrentNetwork
from linewise.models.recurrent.stepping import Stepping

TOLERANCE = 1e-4
"""Largest difference of a number, as a share of the largest such number of the comparison (and of 1, where all are
smaller)."""
BATCHES = (1, 2, 7, 32)
SIZES_BATCH = 3


@final
@dataclass(frozen=True)
class Parity:
    """What was compared, and with what outcome.

    Attributes:
        difference: the largest found, in the sense of `TOLERANCE`.
        batches: images side by side.
        sizes: height and width, pixels.
        steps: numbers of steps; empty where all is answered in one pass.
        numbers: how many were compared.
    """

    difference: float
    batches: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]
    steps: tuple[int, ...]
    numbers: int


def compare(network: Network, model: OnnxModel, images_NHWC: np.ndarray) -> Parity:
    """Compare every output of a file with torch.

    Args:
        network: in evaluation mode; computed as users compute it, kernels included.
        images_NHWC: prepared uint8 images, at least as many as the largest batch.

    Raises:
        LinewiseError: some number differs by more than `TOLERANCE`; it says which.
    """
    card = model.card
    runs = (
        _steps(network, model, images_NHWC) if card.form == "row-by-row" else _whole(network, model, images_NHWC)
    )
    worst, numbers, tried = 0.0, 0, []
    for case, name, ours, torchs_ in runs:
        difference = apart(ours, torchs_)
        if not difference <= TOLERANCE:
            raise LinewiseError(
                f"ONNX Runtime and torch differ by {difference:.2g} in {name} ({case.text})",
                where=f"parity of {card.label}",
                expected=f"at most {TOLERANCE:g} of the largest number; nothing was written",
                mend="tell us with the model.json of the run",
            )
        worst, numbers = max(worst, difference), numbers + ours.size
        tried.append(case)
    sizes = sorted({case.size for case in tried})
    steps = sorted({case.steps for case in tried if case.steps})
    return Parity(worst, tuple(sorted({case.batch for case in tried})), tuple(sizes), tuple(steps), numbers)


def apart(ours: np.ndarray, torchs_: np.ndarray) -> float:
    """The largest difference as a share of the largest number, or of 1; infinite where shapes differ or one is
    not a number.

    >>> apart(np.array([100.0, 1.0]), np.array([100.0, 2.0]))
    0.01
    """
    if ours.shape != torchs_.shape or not (np.isfinite(ours).all() and np.isfinite(torchs_).all()):
        return float("inf")
    if not ours.size:
        return 0.0
    difference = np.abs(ours.astype(np.float64) - torchs_.astype(np.float64)).max()
    return float(difference / max(1.0, np.abs(torchs_).max()))


@final
@dataclass(frozen=True)
class Case:
    batch: int
    size: tuple[int, int]
    steps: int = 0

    @property
    def text(self) -> str:
        steps = f", after {self.steps} steps" if self.steps else ""
        return f"{self.batch} images of {self.size[0]}×{self.size[1]}{steps}"


Compared = Iterator[tuple[Case, str, np.ndarray, np.ndarray]]


def _whole(network: Network, model: OnnxModel, images_NHWC: np.ndarray) -> Compared:
    card, pre = model.card, model.preprocessing
    for batch, size in cases(card.any_size, (pre.height, pre.width)):
        height, width = size
        geometry = Geometry(height=height, width=width, channels=pre.channels, fit="stretch")
        x_BCHW = pre.normalise(geometry.conform(images_NHWC[:batch]))
        ours = model.run({IMAGES: x_BCHW})
        for name, expected in torchs(network, card.form, torch.from_numpy(x_BCHW)).items():
            steps = expected.shape[1] if name != LOGITS else 0
            yield Case(batch, size, steps), name, ours[name], expected


def cases(any_size: AnySize | None, size: tuple[int, int]) -> list[tuple[int, tuple[int, int]]]:
    """Batch and size of each comparison of whole images: all batches at the network's own size, and where it takes
    others, one higher, one wider and one of twice the size."""
    found = [(batch, size) for batch in BATCHES]
    if any_size:
        height, width = size
        more = any_size.multiple
        others = [(height + more, width), (height, width + 2 * more), (2 * height, 2 * width)]
        found += [(SIZES_BATCH, other) for other in others]
    return found


def _steps(network: Network, model: OnnxModel, images_NHWC: np.ndarray) -> Compared:
    """After every step, to the end of the image and once more from its beginning: a reader knows no length."""
    assert isinstance(network, RecurrentNetwork)
    stepping, pre = Stepping(network), model.preprocessing
    for batch in BATCHES:
        x_BCHW = pre.normalise(images_NHWC[:batch])
        given = model.steps(x_BCHW)
        expected_BTK = torchs(network, "steps", torch.from_numpy(x_BCHW))[STEP_LOGITS]
        found, memory = model.start(batch), stepping.start(batch)
        for t, inputs in enumerate([*given, *given]):
            found = model.step(inputs, found)
            case = Case(batch, (pre.height, pre.width), t + 1)
            with torch.inference_mode():
                x = tuple(torch.from_numpy(np.ascontiguousarray(x_BD)) for x_BD in inputs.values())
                logits_BK, memory = stepping.step(memory, x)
            yield case, LOGITS, found[LOGITS], logits_BK.numpy()
            if t < len(given):
                yield case, "logits of the steps so far", found[LOGITS], expected_BTK[:, t]

"""A network from an ONNX file that `linewise export` wrote, answered by ONNX Runtime; torch is not needed.

The file is not trusted; `opening` says what is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from linewise.export.card import OnnxCard
from linewise.export.opening import IMAGES, LOGITS, described, fits, line, read, start
from linewise.foundations.errors import SavedModelError
from linewise.images.preprocessing import Preprocessing

BATCH = 250
"""Images answered together."""


@final
@dataclass(frozen=True)
class OnnxModel:
    """A network that answers by ONNX Runtime; an `images.answering.Answerer`.

    Attributes:
        path: the file.
        card: what it says of itself, checked.
        session: ONNX Runtime's.
    """

    path: Path
    card: OnnxCard
    session: Any

    @property
    def label(self) -> str:
        return self.card.label

    @property
    def class_names(self) -> list[str]:
        return self.card.class_names

    @property
    def preprocessing(self) -> Preprocessing:
        return self.card.preprocessing

    def probabilities(self, images_NHWC: np.ndarray) -> np.ndarray:
        """Class probabilities `NK`, float32, of prepared uint8 images.

        Raises:
            ValueError: no such images (callers prepare them).
            SavedModelError: the graph cannot be computed, or its answer is not a number.
        """
        logits_NK = self.logits(images_NHWC)
        shares_NK = np.exp(logits_NK - logits_NK.max(axis=1, keepdims=True))
        return (shares_NK / shares_NK.sum(axis=1, keepdims=True)).astype(np.float32)

    def logits(self, images_NHWC: np.ndarray) -> np.ndarray:
        """Logits `NK`, float32."""
        if images_NHWC.dtype != np.uint8 or images_NHWC.ndim != 4:
            raise ValueError(f"images are {images_NHWC.dtype} {images_NHWC.shape}, not uint8 NHWC")
        rows = [
            self._answer(self.preprocessing.normalise(images_NHWC[start : start + BATCH]))
            for start in range(0, len(images_NHWC), BATCH)
        ]
        logits_NK = np.concatenate(rows) if rows else np.zeros((0, len(self.class_names)), np.float32)
        if not np.isfinite(logits_NK).all():
            raise SavedModelError("its answer is not a number", where=str(self.path), mend="export it again")
        return logits_NK

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name, for inputs by name.

        Raises:
            SavedModelError: the graph cannot be computed.
        """
        names = [output.name for output in self.session.get_outputs()]
        try:
            return dict(zip(names, self.session.run(names, inputs), strict=True))
        except Exception as error:  # ONNX Runtime's errors have no base but this
            raise SavedModelError(f"cannot be computed ({line(error)})", where=str(self.path)) from None

    def _answer(self, x_BCHW: np.ndarray) -> np.ndarray:
        if self.card.form != "row-by-row":
            logits_BK = self.run({IMAGES: x_BCHW})[LOGITS]
        else:
            found = self.start(len(x_BCHW))
            for given in self.steps(x_BCHW):
                found = self.step(given, found)
            logits_BK = found[LOGITS]
        if logits_BK.shape != (len(x_BCHW), len(self.class_names)):
            raise SavedModelError(
                f"its answer has the shape {logits_BK.shape}",
                where=str(self.path),
                expected=f"({len(x_BCHW)}, {len(self.class_names)}), images × classes",
            )
        return logits_BK

    def start(self, batch_size: int) -> dict[str, np.ndarray]:
        """The states before the first step, of the form `row-by-row`, as `step` gives them."""
        return {s.output: np.full((batch_size, *s.shape), s.start, np.float32) for s in self.card.states}

    def steps(self, x_BCHW: np.ndarray) -> list[dict[str, np.ndarray]]:
        """What each reader is given at each step, of the form `row-by-row`.

        Args:
            x_BCHW: normalised images of the preprocessing's size.
        """
        x_BPC = x_BCHW.reshape(*x_BCHW.shape[:2], -1).transpose(0, 2, 1)
        padded_BPC = np.pad(x_BPC, ((0, 0), (0, 1), (0, 0)))  # pixel -1 finds the zeros
        by_reader = [
            (reader.input, padded_BPC[:, np.array(reader.order)].reshape(len(x_BCHW), len(reader.order), -1))
            for reader in self.card.readers
        ]
        return [{name: x_BTD[:, t] for name, x_BTD in by_reader} for t in range(len(self.card.readers[0].order))]

    def step(self, given: dict[str, np.ndarray], before: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Logits and states after one more step.

        Args:
            given: of `steps`.
            before: of `start`, or what the step before gave.
        """
        return self.run({**given, **{s.input: before[s.output] for s in self.card.states}})


def load_onnx(path: str | Path, *, threads: int = 0) -> OnnxModel:
    """Open a file that `linewise export` wrote.

    Args:
        threads: of ONNX Runtime for one call; 0 leaves it to it.

    Raises:
        SavedModelError: not such a file, damaged, changed or of a newer format (what it is, is said).
        ConfigError: onnxruntime is not installed.
    """
    path = Path(path)
    return open_onnx(read(path), path, threads=threads)


def open_onnx(data: bytes, path: Path, *, threads: int = 0) -> OnnxModel:
    """The same from the bytes of the file; `path` is for errors."""
    card = described(data, str(path))
    session = start(data, str(path), threads)
    fits(session, card, str(path))
    return OnnxModel(path, card, session)

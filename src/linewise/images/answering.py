"""What `predict` and `serve` ask of a trained network, whatever computes it: torch or ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from linewise.images.preprocessing import Preprocessing


class Answerer(Protocol):
    """A trained network that answers.

    Attributes:
        label: what it is called, such as `lstm`.
        class_names: in the order of the probabilities.
        preprocessing: what turns any image into what it sees.
    """

    @property
    def label(self) -> str: ...
    @property
    def class_names(self) -> list[str]: ...
    @property
    def preprocessing(self) -> Preprocessing: ...

    def probabilities(self, images_NHWC: np.ndarray) -> np.ndarray:
        """Class probabilities `NK`, float32, of prepared uint8 images."""
        ...


@dataclass(frozen=True)
class Answered:
    """Answers on a batch of images.

    Attributes:
        probabilities_NK: float32.
        steps: T, of a network that may stop reading early.
        read_N: steps that were read, where reading stopped by a rule; None where all was read.
        enough_N: steps after which the rule would have stopped, where all was read although there is one.
    """

    probabilities_NK: np.ndarray
    steps: int | None = None
    read_N: np.ndarray | None = None
    enough_N: np.ndarray | None = None


class Asking(Protocol):
    """A way to ask an answerer."""

    def __call__(self, images_NHWC: np.ndarray) -> Answered: ...

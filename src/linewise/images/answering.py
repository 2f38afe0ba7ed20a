"""What `predict` and `serve` ask of a trained network, whatever computes it: torch or ONNX Runtime."""

from __future__ import annotations

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

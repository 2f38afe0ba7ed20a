"""What is known of how a network read one image. Plain arrays, no torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

DECIMALS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """One image as one network read it.

    Attributes:
        label: what the network is called.
        class_names: in the order of the probabilities.
        image_HWC: the image as the network saw it, uint8.
        probabilities_K: of the answer at the end, float32.
        reading: names of its readings, joined by `+`; empty where it does not read step by step.
        num_steps: T, the steps of the first reader; None where it does not read.
        step_HW: at which step, from 1, each pixel is first read; None where it does not read.
        probabilities_TK: of the answer after each step; None where it has no answer before the end.
        settled: the step, from 1, after which the answer never changes again; None where `probabilities_TK` is.
        stopped: the step at which reading stops by the rule of `linewise calibrate`; None without a rule.
        hidden_TU: what the last layer of the first reader remembers after each step, both directions side by side
            (the second has read from the last step to this one); None where it does not read.
        gates: of that layer where it is plain, each `TU`, by name. LSTM: input, forget, candidate, output, cell,
            hidden. GRU: reset, update, candidate, hidden. RNN: hidden. None where not asked for, or not plain.
        occlusion_H: probability of the answer at the end minus that with this row of pixels blanked; None where
            not asked for.
    """

    label: str
    class_names: list[str]
    image_HWC: np.ndarray
    probabilities_K: np.ndarray
    reading: str = ""
    num_steps: int | None = None
    step_HW: np.ndarray | None = None
    probabilities_TK: np.ndarray | None = None
    settled: int | None = None
    stopped: int | None = None
    hidden_TU: np.ndarray | None = None
    gates: dict[str, np.ndarray] | None = None
    occlusion_H: np.ndarray | None = None

    @property
    def answer(self) -> int:
        """The class answered at the end."""
        return int(self.probabilities_K.argmax())

    def to_json(self) -> dict[str, Any]:
        """The same as plain lists and numbers; fractions with 4 decimals, pixels as they are."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


def settled_at(probabilities_TK: np.ndarray) -> int:
    """The step, from 1, after which the answer never changes again.

    >>> settled_at(np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]]))
    2
    """
    answers_T = probabilities_TK.argmax(axis=1)
    others_T = np.flatnonzero(answers_T != answers_T[-1])
    return int(others_T[-1]) + 2 if len(others_T) else 1


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind != "f":
        return value.tolist()
    return (value.astype(np.float64).round(DECIMALS) + 0.0).tolist()  # + 0.0: no minus before a zero

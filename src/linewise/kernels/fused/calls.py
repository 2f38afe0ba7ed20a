"""A compiled program with its arguments by name."""

from __future__ import annotations

import ctypes

from torch import Tensor

from linewise.kernels.machine.compiled import function
from linewise.kernels.machine.products import INPUTS, WEIGHTS
from linewise.kernels.machine.programs import AHEAD, BACK

NAMES = {"ahead": AHEAD, "back": BACK, "of_inputs": INPUTS, "of_weights": WEIGHTS}
PLACES = {program: {name: i for i, name in enumerate(names)} for program, names in NAMES.items()}
FLOAT = 4  # bytes


class Call:
    """One program of one cell. Arguments stay as they were until they are given again.

    The caller keeps all tensors whose places are given alive.
    """

    def __init__(self, cell: str, program: str, **values: int) -> None:
        self._program = function("rnn" if program == "of_weights" else cell, program)
        self._places = PLACES[program]
        self._arguments = (ctypes.c_int64 * len(self._places))()
        self.set(**values)

    def set(self, **values: int) -> None:
        for name, value in values.items():
            self._arguments[self._places[name]] = value

    def __call__(self, **values: int) -> None:
        self.set(**values)
        self._program(self._arguments)


def place(tensor: Tensor, offset: int = 0) -> int:
    """Address of a float32 of a tensor."""
    return tensor.data_ptr() + FLOAT * offset


class OverTime:
    """A tensor `T × B × …` in the order it is read, the other way round where `reverse` is set.

    Args:
        offset: float32 from the start of a row to what is wanted.
    """

    def __init__(self, name: str, tensor: Tensor, *, reverse: bool = False, offset: int = 0) -> None:
        self.step = -tensor.stride(0) if reverse else tensor.stride(0)
        self.row = tensor.stride(1)
        self._start = place(tensor, offset) + (FLOAT * (len(tensor) - 1) * tensor.stride(0) if reverse else 0)
        self.name = name

    def at(self, step: int) -> int:
        """Address at a step in the order of reading."""
        return self._start + FLOAT * step * self.step

    def arguments(self) -> dict[str, int]:
        return {self.name: self._start, f"{self.name}_step": self.step, f"{self.name}_row": self.row}

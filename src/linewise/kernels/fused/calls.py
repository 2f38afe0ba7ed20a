"""A compiled program with its arguments by name, for all shares of the batch."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

from torch import Tensor

from linewise.kernels.fused.threads import together
from linewise.kernels.machine.compiled import function
from linewise.kernels.machine.one import ONE, UNTIL
from linewise.kernels.machine.products import INPUTS, WEIGHTS
from linewise.kernels.machine.programs import AHEAD, BACK

NAMES = {"ahead": AHEAD, "one": ONE, "until": UNTIL, "back": BACK, "of_inputs": INPUTS, "of_weights": WEIGHTS}
PLACES = {program: {name: i for i, name in enumerate(names)} for program, names in NAMES.items()}
FLOAT = 4  # bytes
Value = int | Sequence[int]
"""The same for all shares, or one for each."""


class Call:
    """One program of one cell. Arguments stay as they were until they are given again.

    The caller keeps all tensors whose places are given alive.
    """

    def __init__(self, cell: str, program: str, shares: int, **values: Value) -> None:
        self._program = function("rnn" if program == "of_weights" else cell, program)
        self._places, self._shares = PLACES[program], shares
        self._arguments = (ctypes.c_int64 * (len(self._places) * shares))()
        self.set(**values)

    def set(self, **values: Value) -> None:
        many, count = self._arguments, len(self._places)
        for name, value in values.items():
            place = self._places[name]
            if isinstance(value, int):
                for share in range(self._shares):
                    many[share * count + place] = value
            else:
                many[place::count] = value

    def __call__(self, **values: Value) -> None:
        self.set(**values)
        together(self._program, self._arguments, self._shares)


def place(tensor: Tensor, offset: int = 0) -> int:
    """Address of a float32 of a tensor."""
    return tensor.data_ptr() + FLOAT * offset


class OverTime:
    """A tensor `T × B × …` in the order it is read, the other way round where `reverse` is set.

    Args:
        offset: float32 from the start of a row to what is wanted.
        firsts: first row of each share; left out where the program itself knows its rows.
    """

    def __init__(
        self, name: str, tensor: Tensor, *, reverse: bool = False, offset: int = 0, firsts: Sequence[int] = (0,)
    ) -> None:
        self.name, self.row = name, tensor.stride(1)
        self.step = -tensor.stride(0) if reverse else tensor.stride(0)
        start = place(tensor, offset) + (FLOAT * (len(tensor) - 1) * tensor.stride(0) if reverse else 0)
        self._starts = [start + FLOAT * first * self.row for first in firsts]

    def at(self, step: int) -> Value:
        """Address at a step in the order of reading, for each share."""
        if len(self._starts) == 1:
            return self._starts[0] + FLOAT * step * self.step
        return [start + FLOAT * step * self.step for start in self._starts]

    def arguments(self) -> dict[str, Value]:
        return {self.name: self.at(0), f"{self.name}_step": self.step, f"{self.name}_row": self.row}

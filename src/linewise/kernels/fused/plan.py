"""Calls of compiled programs, made ready for a geometry once and given the places of tensors each time.

A pass of a layer is some hundred calls with thirty arguments each; made in Python each time they would take as
long as a small layer computes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from linewise.kernels.fused.threads import together
from linewise.kernels.machine.compiled import Program, function, list_function
from linewise.kernels.machine.one import ONE, UNTIL
from linewise.kernels.machine.products import INPUTS, WEIGHTS
from linewise.kernels.machine.programs import AHEAD, BACK

NAMES = {"ahead": AHEAD, "back": BACK, "of_inputs": INPUTS, "of_weights": WEIGHTS}
PLACES = {
    program: {name: i for i, name in enumerate(names)}
    for program, names in {**NAMES, "one": ONE, "until": UNTIL}.items()
}
"""Numbers of the arguments of each program."""
FLOAT = 4  # bytes
LINE = 1 + max(len(names) for names in NAMES.values())


class Place(NamedTuple):
    """A float32 of a tensor that is given when the plan is run.

    Attributes:
        tensor: its number among those given.
        offset: float32 from its start; may lie before it where the program adds to it.
    """

    tensor: int
    offset: int = 0

    def after(self, distance: int) -> Place:
        return Place(self.tensor, self.offset + distance)


Value = int | Place | np.ndarray
"""A number; a place; an array of constants, which the plan keeps."""


class Plan:
    """What each thread does.

    Args:
        cell: `rnn`, `lstm` or `gru`.
        threads: for each, the programs and their arguments in order.
    """

    def __init__(self, cell: str, threads: Sequence[Sequence[tuple[str, dict[str, Value]]]]) -> None:
        calls = [call for thread in threads for call in thread]
        self._numbers = np.zeros((len(calls), LINE), np.int64)
        self._tensors = np.zeros((len(calls), LINE), np.intp)
        self._alive: list[np.ndarray | Program] = []
        programs = {name: function("rnn" if name == "of_weights" else cell, name) for name, _ in calls}
        self._alive += programs.values()
        for i, (name, arguments) in enumerate(calls):
            self._numbers[i, 0] = programs[name].address
            for j, argument in enumerate(NAMES[name], 1):
                self._set(i, j, arguments[argument])
        self._list, self._counts = list_function(), [len(thread) for thread in threads]

    def _set(self, i: int, j: int, value: Value) -> None:
        if isinstance(value, Place):
            self._numbers[i, j], self._tensors[i, j] = FLOAT * value.offset, value.tensor + 1
        elif isinstance(value, np.ndarray):
            self._alive.append(value)
            self._numbers[i, j] = value.ctypes.data
        else:
            self._numbers[i, j] = value

    def run(self, *tensors: Tensor) -> None:
        """Do it, with these tensors; Python's lock is free meanwhile."""
        starts = np.array([0, *(t.data_ptr() for t in tensors)], np.int64)
        lines = starts.take(self._tensors)
        lines += self._numbers
        start, size = lines.ctypes.data, LINE * lines.itemsize
        shares: list[int] = []
        for count in self._counts:
            shares += [start, count, size]
            start += count * size
        together(self._list, (ctypes.c_int64 * len(shares))(*shares), len(self._counts))

"""The forward pass for a few sequences: everything that does not change between two calls is made ready once.

At this size the kernel takes about as long as a dozen calls of torch, so that each of them counts.
"""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from typing import Any, final

import torch
from torch import Tensor

from linewise.kernels.fused.packing import by_unit, in_order, padded, panels, sum_starts
from linewise.kernels.fused.plan import FLOAT, PLACES
from linewise.kernels.fused.sweeps import table
from linewise.kernels.machine.cells import CELL_CODES
from linewise.kernels.machine.compiled import function, width
from linewise.kernels.machine.one import room

State = tuple[Tensor, Tensor]
"""Hidden state and the LSTM's memory, each `RBU`; other cells give the first twice."""
_NO_STATE = torch.empty(0)


class Ready(ABC):
    """The weights of a layer, packed, and calls that only lack what is read and written.

    Args:
        name: `rnn`, `gru` or `lstm`.
        weights: four per direction, in torch's order.
    """

    program: str

    def __init__(self, name: str, weights: list[Tensor]) -> None:
        self.name, self.cell, weights = name, CELL_CODES[name], [w.detach().contiguous() for w in weights]
        self.units, self.inputs = weights[1].shape[1], weights[0].shape[1]
        self.packed = [self._pack(*weights[i : i + 4]) for i in range(0, len(weights), 4)]
        self.count = len(self.packed)
        self.zeros = torch.zeros(padded(self.units))
        self._code = function(name, self.program)  # keeps it in memory
        self.run = self._code.run
        self._idle: list[_Desk] = []

    def _pack(
        self, input_GD: Tensor, state_GU: Tensor, input_bias_G: Tensor, state_bias_G: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Of the input, of the state, what sums start from."""
        vectors = self._vectors(input_GD), self._vectors(state_GU)
        return *vectors, sum_starts(self.name, input_bias_G, state_bias_G, self.units)

    @abstractmethod
    def _vectors(self, weight_GK: Tensor) -> Tensor:
        """A matrix in the order in which it is read."""

    @abstractmethod
    def scratch(self) -> int:
        """Float32 that a call needs beside what it reads and gives."""

    @abstractmethod
    def __call__(self, x_TBD: Tensor, state: State | None = None) -> tuple[Tensor, Tensor]:
        """Hidden states of all directions side by side, `h_TBU`, and the LSTM's last memory, `RBU`."""

    def take(self) -> _Desk:
        """A desk that nobody else has; to be given back."""
        try:
            return self._idle.pop()
        except IndexError:
            return _Desk(self)

    def give_back(self, desk: _Desk) -> None:
        self._idle.append(desk)


@final
class _Desk:
    """Arguments of each direction, and scratch memory; in use by one thread at a time."""

    def __init__(self, ready: Ready) -> None:
        names, units = PLACES[ready.program], ready.units
        self.scratch = torch.empty(ready.scratch())
        scratch = self.scratch.data_ptr()
        self.arguments: list[Any] = []
        for weight_x, weight_h, starts in ready.packed:
            values = {
                "inputs": ready.inputs, "units": units, "panels": panels(units), "memory_mask": 1,
                "weight_x": weight_x.data_ptr(), "weight_h": weight_h.data_ptr(), "bias": starts.data_ptr(),
                "zeros": ready.zeros.data_ptr(), "sums": scratch, "kept": scratch,
            }  # fmt: skip
            self.arguments.append((ctypes.c_int64 * len(names))(*(values.get(name, 0) for name in names)))


_AT = PLACES["one"]
_STEPS, _X, _X_STEP, _H, _H_STEP = (_AT[n] for n in ("steps", "x", "x_step", "h", "h_step"))
_BEFORE, _FRESH, _MEMORY_BEFORE, _MEMORY = (_AT[n] for n in ("before", "is_fresh", "memory_before", "memory"))


@final
class One(Ready):
    """For one sequence, from any state."""

    program = "one"

    def _vectors(self, weight_GK: Tensor) -> Tensor:
        return in_order(weight_GK, self.cell.gates)

    def scratch(self) -> int:
        return room(self.cell, width().registers, padded(self.units))

    def __call__(self, x_TBD: Tensor, state: State | None = None) -> tuple[Tensor, Tensor]:
        x_TBD, steps, inputs, units, count = x_TBD.contiguous(), len(x_TBD), self.inputs, self.units, self.count
        h_TBU = torch.empty(steps, 1, count * units)
        memory_RBU = torch.empty(count, 1, units) if self.cell.has_memory else _NO_STATE
        x, h, memory = x_TBD.data_ptr(), h_TBU.data_ptr(), memory_RBU.data_ptr()
        fresh, apart = (1, 0) if state is None else (0, FLOAT * units)
        before = old = self.zeros.data_ptr()
        if state is not None:
            before, old = state[0].data_ptr(), state[1].data_ptr()
        desk = self.take()
        for i, many in enumerate(desk.arguments):
            if i:  # from the last step to the first
                x, x_step = x + FLOAT * (steps - 1) * inputs, -inputs
                h, h_step = h + FLOAT * ((steps - 1) * count * units + units), -count * units
                before, old, memory = before + apart, old + apart, memory + FLOAT * units
            else:
                x_step, h_step = inputs, count * units
            many[_STEPS], many[_FRESH], many[_X], many[_X_STEP] = steps, fresh, x, x_step
            many[_H], many[_H_STEP], many[_BEFORE] = h, h_step, before
            many[_MEMORY_BEFORE], many[_MEMORY] = old, memory
            self.run(many)
        self.give_back(desk)
        return h_TBU, memory_RBU


_FEW = [
    PLACES["ahead"][name]
    for name in (
        "steps", "end_row", "x", "x_step", "x_rows", "h", "h_step", "h_rows", "memory", "memory_step",
        "memory_row",
    )
]  # fmt: skip


@final
class Few(Ready):
    """For a few sequences of one thread, from zero states."""

    program = "ahead"

    def _vectors(self, weight_GK: Tensor) -> Tensor:
        return by_unit(weight_GK, self.cell.gates)

    def scratch(self) -> int:
        return max(1, self.cell.slots * self.units)

    def __call__(self, x_TBD: Tensor, state: State | None = None) -> tuple[Tensor, Tensor]:
        assert state is None
        x_TBD = x_TBD.contiguous()
        (steps, batch, inputs), units, count = x_TBD.shape, self.units, self.count
        h_TBU = torch.empty(steps, batch, count * units)
        of_step = count * batch * units
        memory_SRBU = torch.empty(2, count, batch, units) if self.cell.has_memory else None
        x, h = x_TBD.data_ptr(), h_TBU.data_ptr()
        memory = 0 if memory_SRBU is None else memory_SRBU.data_ptr()
        x_step, h_step, sign = batch * inputs, batch * count * units, 1
        x_rows, h_rows = (table(((batch, row),)).ctypes.data for row in (inputs, count * units))
        desk = self.take()
        for i, many in enumerate(desk.arguments):
            if i:
                x, h = x + FLOAT * (steps - 1) * x_step, h + FLOAT * ((steps - 1) * h_step + units)
                memory, sign = memory + FLOAT * batch * units, -1
            values = (
                steps, batch, x, sign * x_step, x_rows, h, sign * h_step, h_rows, memory, of_step,
                units,
            )  # fmt: skip
            for place, value in zip(_FEW, values, strict=True):
                many[place] = value
            self.run(many)
        self.give_back(desk)
        return h_TBU, _NO_STATE if memory_SRBU is None else memory_SRBU[steps - 1 & 1]

"""The forward pass for one sequence: everything that does not change between two calls is made ready once.

At this size the kernel takes about as long as a dozen calls of torch, so that each of them counts.
"""

from __future__ import annotations

import ctypes
from typing import Any, final
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from linewise.kernels.fused.calls import FLOAT, PLACES
from linewise.kernels.fused.packing import Weights, by_direction, in_order, padded, panels, same_bytes, sum_starts
from linewise.kernels.machine.cells import CELL_CODES
from linewise.kernels.machine.compiled import function, width
from linewise.kernels.machine.one import ONE, room

_AT = PLACES["one"]
_STEPS, _X, _X_STEP, _H, _BEFORE, _FRESH = (
    _AT[n] for n in ("steps", "x", "x_step", "h", "before", "is_fresh")
)
_MEMORY_BEFORE, _MEMORY = _AT["memory_before"], _AT["memory"]
State = tuple[Tensor, Tensor | None]
"""Hidden state and the LSTM's memory, each `R1U`."""


@final
class _Desk:
    """Arguments of each direction and the room their sums take; in use by one thread at a time."""

    def __init__(self, ready: Ready) -> None:
        cell, units = CELL_CODES[ready.name], ready.units
        size = room(cell, width().registers, padded(units))
        self.sums = torch.empty(size)
        self.arguments: list[Any] = []
        for input_, state, starts in ready.packed:
            values = {
                "inputs": ready.inputs, "units": units, "panels": panels(units), "weight_x": input_.data_ptr(),
                "weight_h": state.data_ptr(), "bias": starts.data_ptr(), "sums": self.sums.data_ptr(),
            }  # fmt: skip
            self.arguments.append((ctypes.c_int64 * len(ONE))(*(values.get(name, 0) for name in ONE)))


@final
class Ready:
    """The weights of a layer, packed for one sequence.

    Args:
        name: `rnn`, `gru` or `lstm`.
        weights: four per direction, in torch's order.
    """

    def __init__(self, name: str, weights: list[Tensor]) -> None:
        self.name, self.cell, directions = name, CELL_CODES[name], by_direction(weights)
        self.units, self.inputs = directions[0].units, directions[0].input_GD.shape[1]
        self.packed = [self._pack(w) for w in directions]
        self.zeros = torch.zeros(padded(self.units))
        self.run = function(name, "one").run
        self._idle: list[_Desk] = []

    def _pack(self, weights: Weights) -> tuple[Tensor, Tensor, Tensor]:
        gates = self.cell.gates
        packed = in_order(weights.input_GD, gates), in_order(weights.state_GU, gates)
        return *packed, sum_starts(self.cell, weights)

    def __call__(self, x_T1D: Tensor, state: State | None) -> State:
        """Hidden states of all directions side by side, `h_T1U`, and the LSTM's last memory, `R1U`."""
        x_T1D, steps, units = x_T1D.contiguous(), len(x_T1D), self.units
        count = len(self.packed)
        h_T1U = torch.empty(steps, 1, count * units)
        memory_R1U = torch.empty(count, 1, units) if self.cell.has_memory else None
        x, h = x_T1D.data_ptr(), h_T1U.data_ptr()
        memory = 0 if memory_R1U is None else memory_R1U.data_ptr()
        zeros = self.zeros.data_ptr()
        before = (zeros, zeros) if state is None else [0 if s is None else s.data_ptr() for s in state]
        apart = 0 if state is None else FLOAT * units
        try:
            desk = self._idle.pop()
        except IndexError:
            desk = _Desk(self)
        for i, many in enumerate(desk.arguments):
            last, sign = ((steps - 1) * FLOAT, -1) if i else (0, 1)
            many[_STEPS], many[_FRESH] = steps, int(state is None)
            many[_X], many[_X_STEP] = x + last * self.inputs, sign * self.inputs
            many[_H] = h + last * count * units + FLOAT * i * units
            many[_AT["h_step"]] = sign * count * units
            many[_BEFORE], many[_MEMORY_BEFORE] = before[0] + apart * i, before[1] + apart * i
            many[_MEMORY] = memory + FLOAT * units * i
            self.run(many)
        self._idle.append(desk)
        return h_T1U, memory_R1U


class _Remembered:
    """What was packed last, and the weights it was packed from."""

    def __init__(self, name: str, weights: list[Tensor]) -> None:
        self.ready = Ready(name, weights)
        self.copies = [w.detach().clone(memory_format=torch.contiguous_format) for w in weights]


_remembered: WeakKeyDictionary[nn.Module, _Remembered] = WeakKeyDictionary()
_held: WeakKeyDictionary[nn.Module, Ready] = WeakKeyDictionary()


def ready(name: str, layer: nn.Module, weights: list[Tensor]) -> Ready:
    """The weights of a layer as they are now, packed for one sequence; anew only where a number has changed."""
    before = _remembered.get(layer)
    if before is None or not all(map(same_bytes, weights, before.copies)):
        before = _remembered[layer] = _Remembered(name, weights)
    return before.ready

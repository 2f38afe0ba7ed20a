"""The compiled programs on tensors: packing of weights, scratch memory, both directions, threads."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from linewise.kernels.fused.cells import CELL_CODES, CellCode
from linewise.kernels.fused.compiled import function, width
from linewise.kernels.fused.programs import AHEAD, BACK
from linewise.kernels.fused.threads import at_once, shares

LEAST_ROWS = 6
FLOAT = 4  # bytes


class Weights(NamedTuple):
    """Of one direction, as torch has them."""

    input_GD: Tensor
    state_GU: Tensor
    input_bias_G: Tensor
    state_bias_G: Tensor


class Kept(NamedTuple):
    """What the backward pass needs of one direction, in the order it was read.

    Attributes:
        slots_TBSU: gates, units padded to whole vectors.
        memory_TBU: of the LSTM, padded too; otherwise empty.
    """

    slots_TBSU: Tensor
    memory_TBU: Tensor


def panels(units: int) -> int:
    """Vectors that hold so many units."""
    return -(-units // width().lanes)


def ahead(name: str, x_TBD: Tensor, directions: list[Weights], *, keep: bool) -> tuple[Tensor, list[Kept]]:
    """Hidden states `h_TBU` of all directions side by side.

    Args:
        x_TBD: the last dimension contiguous.
        keep: all that the backward pass needs; otherwise of the memory the last two steps only.
    """
    cell, (steps, batch, inputs) = CELL_CODES[name], x_TBD.shape
    units = directions[0].state_GU.shape[1]
    padded = panels(units) * width().lanes
    h_TBU = x_TBD.new_empty(steps, batch, units * len(directions))
    zeros_U = x_TBD.new_zeros(padded)
    rows = _shares(batch, len(directions))
    tasks, kept = [], []
    alive: list[Tensor] = [zeros_U]
    for i, weights in enumerate(directions):
        packed = [
            _vectors(weights.input_GD, cell.gates), _vectors(weights.state_GU, cell.gates),
            _sum_starts(cell, weights, units, padded),
        ]  # fmt: skip
        places = (steps if keep else 2) if cell.has_memory else 0
        memory_TBU = x_TBD.new_empty(places, batch, padded)
        slots = cell.slots if name != "rnn" else 0
        slots_TBSU = x_TBD.new_empty((steps, batch, slots, padded) if keep else (1, len(rows), slots, padded))
        kept.append(Kept(slots_TBSU, memory_TBU))
        alive += packed
        for share, (first, end) in enumerate(rows):
            values = {
                "steps": steps, "first_row": first, "end_row": end, "inputs": inputs, "units": units,
                "panels": panels(units), "weight_x": _place(packed[0]), "weight_h": _place(packed[1]),
                "bias": _place(packed[2]), "zeros": _place(zeros_U), **_over_time("x", x_TBD, i == 1),
                **_over_time("h", h_TBU, i == 1, units * i), **_over_time("memory", memory_TBU),
                "memory_mask": -1 if keep else 1, "kept": _place(slots_TBSU) + (0 if keep else FLOAT * slots * padded * share),
                "kept_step": slots_TBSU.stride(0) if keep else 0, "kept_row": slots_TBSU.stride(1) if keep else 0,
            }  # fmt: skip
            tasks.append(_call(name, "ahead", AHEAD, values))
    at_once(tasks)
    del alive
    return h_TBU, kept


def back(
    name: str, d_h_TBU: Tensor, h_TBU: Tensor, directions: list[Weights], kept: list[Kept], d_memory: Tensor | None
) -> list[Tensor]:
    """For each direction the gradients of the slots, `TBSU` in the order of time, units padded.

    Args:
        d_h_TBU: gradient of the hidden states, the last dimension contiguous.
        d_memory: gradient of the last memory of each direction, `RBU`.
    """
    cell, (steps, batch, _) = CELL_CODES[name], h_TBU.shape
    units = directions[0].state_GU.shape[1]
    padded = panels(units) * width().lanes
    zeros_U = h_TBU.new_zeros(padded)
    tasks, found = [], []
    alive: list[Tensor] = [zeros_U]
    for i, (weights, (slots_TBSU, memory_TBU)) in enumerate(zip(directions, kept, strict=True)):
        weight = _across(weights.state_GU, units, padded)
        d_slots_TBSU = h_TBU.new_empty(steps, batch, cell.slots, padded)
        carry = h_TBU.new_zeros(2, batch, padded)
        if d_memory is not None:
            carry[0, :, :units] = d_memory[i]
        found.append(d_slots_TBSU)
        alive += [weight, carry]
        for first, end in _shares(batch, len(directions)):
            values = {
                "steps": steps, "first_row": first, "end_row": end, "units": units, "panels": panels(units),
                "weight": _place(weight), "zeros": _place(zeros_U), **_over_time("d_h", d_h_TBU, i == 1, units * i),
                **_over_time("h", h_TBU, i == 1, units * i), **_over_time("memory", memory_TBU),
                **_over_time("kept", slots_TBSU), **_over_time("slots", d_slots_TBSU, i == 1),
                **_over_time("carry", carry),
            }  # fmt: skip
            tasks.append(_call(name, "back", BACK, values))
    at_once(tasks)
    del alive
    return found


def _shares(batch: int, num_directions: int) -> list[tuple[int, int]]:
    return shares(batch, -(-torch.get_num_threads() // num_directions), LEAST_ROWS)


def _call(name: str, direction: str, names: tuple[str, ...], values: dict[str, int]) -> Callable[[], None]:
    return partial(function(name, direction), (ctypes.c_int64 * len(names))(*(values[n] for n in names)))


def _place(tensor: Tensor) -> int:
    return tensor.data_ptr()


def _over_time(name: str, tensor: Tensor, reverse: bool = False, offset: int = 0) -> dict[str, int]:
    """Where the first step read is, and the way to the next step and the next row."""
    start, step = tensor.data_ptr() + FLOAT * offset, tensor.stride(0)
    if reverse:
        start, step = start + FLOAT * (len(tensor) - 1) * step, -step
    return {name: start, f"{name}_step": step, f"{name}_row": tensor.stride(1)}


def _vectors(weight_GK: Tensor, gates: int) -> Tensor:
    """Rows of each gate as vectors: gates × panels × K × lanes, padded with zeros."""
    lanes, units = width().lanes, len(weight_GK) // gates
    count = panels(units)
    weight = weight_GK.view(gates, units, -1)
    if units % lanes:
        weight = F.pad(weight, (0, 0, 0, count * lanes - units))
    return weight.view(gates, count, lanes, -1).transpose(2, 3).contiguous()


def _across(weight_GU: Tensor, units: int, padded: int) -> Tensor:
    """Columns as vectors: panels × (gates · units) × lanes, padded with zeros."""
    if padded > units:
        weight_GU = F.pad(weight_GU, (0, padded - units))
    return weight_GU.view(len(weight_GU), -1, width().lanes).transpose(0, 1).contiguous()


def _sum_starts(cell: CellCode, weights: Weights, units: int, padded: int) -> Tensor:
    """What each sum starts from: its biases."""
    starts = weights.input_GD.new_zeros(cell.sums, padded)
    for bias_G, goes_to in ((weights.input_bias_G, cell.from_input), (weights.state_bias_G, cell.from_state)):
        starts.index_add_(0, torch.tensor(goes_to), F.pad(bias_G.view(cell.gates, units), (0, padded - units)))
    return starts

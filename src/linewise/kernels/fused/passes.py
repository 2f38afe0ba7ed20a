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
from linewise.kernels.fused.products import INPUTS, WEIGHTS
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
) -> Tensor:
    """Gradients of the slots, directions × steps in the order of time × batch × (slots · padded units, and a gap).

    Args:
        d_h_TBU: gradient of the hidden states, the last dimension contiguous.
        d_memory: gradient of the last memory of each direction, `RBU`.
    """
    cell, (steps, batch, _) = CELL_CODES[name], h_TBU.shape
    units = directions[0].state_GU.shape[1]
    padded = panels(units) * width().lanes
    d_slots_RTBS = h_TBU.new_empty(len(directions), steps, batch, _spread(cell.slots * padded))
    zeros_U = h_TBU.new_zeros(padded)
    tasks: list[Callable[[], None]] = []
    alive: list[Tensor] = [zeros_U]
    for i, (weights, (slots_TBSU, memory_TBU)) in enumerate(zip(directions, kept, strict=True)):
        weight = _across(weights.state_GU)
        carry = h_TBU.new_zeros(2, batch, padded)
        if d_memory is not None:
            carry[0, :, :units] = d_memory[i]
        alive += [weight, carry]
        for first, end in _shares(batch, len(directions)):
            values = {
                "steps": steps, "first_row": first, "end_row": end, "units": units, "panels": panels(units),
                "weight": _place(weight), "zeros": _place(zeros_U), **_over_time("d_h", d_h_TBU, i == 1, units * i),
                **_over_time("h", h_TBU, i == 1, units * i), **_over_time("memory", memory_TBU),
                **_over_time("kept", slots_TBSU), **_over_time("slots", d_slots_RTBS[i], i == 1),
                **_over_time("carry", carry),
            }  # fmt: skip
            tasks.append(_call(name, "back", BACK, values))
    at_once(tasks)
    del alive
    return d_slots_RTBS


def of_input(name: str, d_slots_RTBS: Tensor, directions: list[Weights]) -> Tensor:
    """Gradient of the input, `TBD`."""
    num_directions, steps, batch, _ = d_slots_RTBS.shape
    units, inputs = directions[0].state_GU.shape[1], directions[0].input_GD.shape[1]
    weight = torch.stack([_across(w.input_GD) for w in directions])
    d_x_TBD = d_slots_RTBS.new_empty(steps, batch, inputs)
    tasks = []
    for first, end in shares(steps * batch, torch.get_num_threads(), LEAST_ROWS):
        values = {
            "first_row": first, "end_row": end, "units": units, "slot_width": panels(units) * width().lanes,
            "panels": panels(inputs), "inputs": inputs, "directions": num_directions, "slots": _place(d_slots_RTBS),
            "slots_row": d_slots_RTBS.stride(2), "slots_direction": d_slots_RTBS.stride(0), "weight": _place(weight),
            "d_x": _place(d_x_TBD), "d_x_row": inputs,
        }  # fmt: skip
        tasks.append(_call(name, "of_inputs", INPUTS, values))
    at_once(tasks)
    return d_x_TBD


def of_weights(name: str, d_slots_RTBS: Tensor, x_TBD: Tensor, h_TBU: Tensor) -> list[Tensor]:
    """Gradients of the weights and biases of all directions, in torch's order."""
    cell, (num_directions, steps, batch, row) = CELL_CODES[name], d_slots_RTBS.shape
    inputs, units = x_TBD.shape[2], h_TBU.shape[2] // num_directions
    padded = panels(units) * width().lanes
    one = x_TBD.new_ones(1)
    found_RKS = x_TBD.new_zeros(num_directions, inputs + units + 1, cell.slots * padded)
    tasks = []
    for i in range(num_directions):
        of_x, of_h, of_one = found_RKS[i].split([inputs, units, 1])
        later, before = (0, 1) if i else (1, 0)
        for first, end in shares(cell.slots * panels(units), -(-torch.get_num_threads() // num_directions), 4):
            calls = []
            for out, values, place, x_row, rows, skip in (
                (of_x, inputs, _place(x_TBD), inputs, steps * batch, 0),
                (of_h, units, _place(h_TBU[before:, :, units * i :]), h_TBU.stride(1), (steps - 1) * batch, later),
                (of_one, 1, _place(one), 0, steps * batch, 0),
            ):
                arguments = {
                    "rows": rows, "first_panel": first, "end_panel": end, "values": values, "x": place, "x_row": x_row,
                    "slots": _place(d_slots_RTBS[i]) + FLOAT * skip * batch * row, "slots_row": row,
                    "d_weight": _place(out), "d_weight_row": out.stride(0),
                }  # fmt: skip
                calls.append(_call("rnn", "of_weights", WEIGHTS, arguments))
            tasks.append(partial(_in_turn, calls))
    at_once(tasks)
    gradients: list[Tensor] = []
    for found_KSU in found_RKS.unflatten(2, (cell.slots, padded))[..., :units]:
        of_x, of_h, of_one = found_KSU.split([inputs, units, 1])
        for part, slots in (
            (of_x, cell.input_slots), (of_h, cell.state_slots), (of_one, cell.input_slots), (of_one, cell.state_slots),
        ):  # fmt: skip
            by_gate = part.permute(1, 2, 0)[list(slots)].flatten(0, 1)
            gradients.append(by_gate.flatten() if part is of_one else by_gate.contiguous())
    return gradients


def _in_turn(calls: list[Callable[[], None]]) -> None:
    for call in calls:
        call()


def _spread(row: int) -> int:
    """A row that is an odd number of vectors long, so that the same column of many rows fits a cache."""
    lanes = width().lanes
    return row if row // lanes % 2 else row + lanes


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


def _across(weight_GK: Tensor) -> Tensor:
    """Columns as vectors: panels × (gates · units) × lanes, padded with zeros."""
    rows, columns = weight_GK.shape
    lanes = width().lanes
    if columns % lanes:
        weight_GK = F.pad(weight_GK, (0, panels(columns) * lanes - columns))
    return weight_GK.view(rows, -1, lanes).transpose(0, 1).contiguous()


def _sum_starts(cell: CellCode, weights: Weights, units: int, padded: int) -> Tensor:
    """What each sum starts from: its biases."""
    starts = weights.input_GD.new_zeros(cell.sums, padded)
    for bias_G, goes_to in ((weights.input_bias_G, cell.from_input), (weights.state_bias_G, cell.from_state)):
        starts.index_add_(0, torch.tensor(goes_to), F.pad(bias_G.view(cell.gates, units), (0, padded - units)))
    return starts

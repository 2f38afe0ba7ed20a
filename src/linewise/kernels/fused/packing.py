"""Weights in the order in which the kernels read them, and gradients back in torch's order.

Each order is a list of places in all weights one after another, made once for a geometry; packing is one
gathering.
Names of torch: rows of a weight are its gates one after another (`GD` from the input, `GU` from the state).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from linewise.kernels.machine.cells import CELL_CODES
from linewise.kernels.machine.compiled import Width, width

Sizes = tuple[tuple[int, int], ...]
"""Inputs and units of each sweep."""


class Order(NamedTuple):
    """Places in `flat`, and where the parts of each sweep begin in what is gathered.

    Attributes:
        first: of every number.
        second: of what is added to the last numbers: the second bias.
        parts: of each sweep, float32 from the start.
    """

    first: Tensor
    second: Tensor
    parts: tuple[tuple[int, ...], ...]


def flat(weights: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
    """A zero, then all weights as they are now."""
    return torch.cat([weights[0].new_zeros(1), *(w.detach().reshape(-1) for w in weights)])


def gathered(flat_N: Tensor, order: Order) -> Tensor:
    found = flat_N.index_select(0, order.first)
    if len(order.second):
        found[-len(order.second) :] += flat_N.index_select(0, order.second)
    return found


def panels(units: int) -> int:
    """Vectors that hold so many units."""
    return -(-units // width().lanes)


def padded(units: int) -> int:
    """Units up to the end of the last vector."""
    return panels(units) * width().lanes


def by_unit(weight_GK: Tensor, gates: int) -> Tensor:
    """Rows of each gate as vectors: gates × panels × K × lanes."""
    units = len(weight_GK) // gates
    weight = F.pad(weight_GK.view(gates, units, -1), (0, 0, 0, padded(units) - units))
    return weight.view(gates, panels(units), width().lanes, -1).transpose(2, 3).contiguous()


def by_slot(weight_GK: Tensor, slots: tuple[int, ...]) -> Tensor:
    """Gates in the order of their slots."""
    gates = weight_GK.view(len(slots), -1, weight_GK.shape[1])
    return gates[sorted(range(len(slots)), key=lambda gate: slots[gate])].flatten(0, 1)


def by_column(weight_GK: Tensor) -> Tensor:
    """Columns as vectors: panels × (gates · units) × lanes."""
    rows, columns = weight_GK.shape
    weight_GK = F.pad(weight_GK, (0, padded(columns) - columns))
    return weight_GK.view(rows, -1, width().lanes).transpose(0, 1).contiguous()


def spread(row: int) -> int:
    """A row of whole vectors, an odd number, so that the same column of many rows fits a cache."""
    return (panels(row) | 1) * width().lanes


def _numbered(name: str, sizes: Sizes) -> list[list[Tensor]]:
    """Places of the four weights of each sweep in `flat`, in the weights' shapes."""
    place, found = 1, []
    for inputs, units in sizes:
        rows = CELL_CODES[name].gates * units
        of_sweep = []
        for shape in ((rows, inputs), (rows, units), (rows,), (rows,)):
            count = torch.Size(shape).numel()
            of_sweep.append(torch.arange(place, place + count).view(shape))
            place += count
        found.append(of_sweep)
    return found


def ahead_order(name: str, sizes: Sizes) -> Order:
    """Parts: vectors of the input's weights, of the state's, and what each sum starts from."""
    return _ahead_order(name, sizes, width())


@cache
def _ahead_order(name: str, sizes: Sizes, _: Width) -> Order:
    cell = CELL_CODES[name]
    vectors: list[tuple[int, Tensor]] = []
    starts: list[tuple[int, Tensor]] = []
    seconds: list[Tensor] = []
    for i, (input_GD, state_GU, *biases) in enumerate(_numbered(name, sizes)):
        vectors += [(i, by_unit(input_GD, cell.gates)), (i, by_unit(state_GU, cell.gates))]
        from_input, from_state = (
            _sum_starts(bias_G, goes_to, cell.sums)
            for bias_G, goes_to in zip(biases, (cell.from_input, cell.from_state), strict=True)
        )
        starts.append((i, from_input))
        seconds.append(from_state)
    return _ordered([*vectors, *starts], seconds, len(sizes))


def _sum_starts(bias_G: Tensor, goes_to: tuple[int, ...], sums: int) -> Tensor:
    """For each sum the bias it starts from, sums × padded units."""
    biases = bias_G.view(len(goes_to), -1)
    starts = bias_G.new_zeros(sums, padded(biases.shape[1]))
    for bias_U, to in zip(biases, goes_to, strict=True):
        starts[to, : len(bias_U)] = bias_U
    return starts


def back_order(name: str, sizes: Sizes) -> Order:
    """Parts: columns of the state's weights, of the input's."""
    return _back_order(name, sizes, width())


@cache
def _back_order(name: str, sizes: Sizes, _: Width) -> Order:
    cell = CELL_CODES[name]
    pieces = [
        (i, by_column(by_slot(weight_GK, slots)))
        for i, (input_GD, state_GU, *_) in enumerate(_numbered(name, sizes))
        for weight_GK, slots in ((state_GU, cell.state_slots), (input_GD, cell.input_slots))
    ]
    return _ordered(pieces, [], len(sizes))


def _ordered(pieces: list[tuple[int, Tensor]], seconds: list[Tensor], sweeps: int) -> Order:
    """Pieces of sweeps, one after another."""
    parts: list[list[int]] = [[] for _ in range(sweeps)]
    place = 0
    for sweep, piece in pieces:
        parts[sweep].append(place)
        place += piece.numel()
    first = torch.cat([piece.reshape(-1) for _, piece in pieces])
    second = torch.cat([piece.reshape(-1) for piece in seconds]) if seconds else first[:0]
    return Order(first, second, tuple(map(tuple, parts)))


def found_lines(inputs: int, units: int) -> int:
    """Lines of what is found for the weights of a sweep: the input's, the state's, the bias."""
    return inputs + units + 1


def found_size(name: str, inputs: int, units: int) -> int:
    """Float32 of all lines; each has the gradients of all slots."""
    return found_lines(inputs, units) * padded(CELL_CODES[name].slots * units)


def found_order(name: str, sizes: Sizes) -> Tensor:
    """Places in what was found of all weights' gradients, in torch's order."""
    return _found_order(name, sizes, width())


@cache
def _found_order(name: str, sizes: Sizes, _: Width) -> Tensor:
    cell, place, orders = CELL_CODES[name], 0, list[Tensor]()
    for inputs, units in sizes:
        size = found_size(name, inputs, units)
        lines_KG = torch.arange(place, place + size).view(found_lines(inputs, units), -1)
        by_slot_SUK = lines_KG[:, : cell.slots * units].T.unflatten(0, (cell.slots, units))
        of_input, of_state = (
            by_slot_SUK[list(slots)].flatten(0, 1) for slots in (cell.input_slots, cell.state_slots)
        )
        orders += [of_input[:, :inputs], of_state[:, inputs:-1], of_input[:, -1], of_state[:, -1]]
        place += size
    return torch.cat([order.reshape(-1) for order in orders])

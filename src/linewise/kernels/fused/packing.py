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
    if not gates:
        return weight_GK
    units = len(weight_GK) // gates
    weight = F.pad(weight_GK.view(gates, units, -1), (0, 0, 0, padded(units) - units))
    return weight.view(gates, panels(units), width().lanes, -1).transpose(2, 3).contiguous()


def by_slot(weight_GK: Tensor, slots: tuple[int, ...]) -> Tensor:
    """Gates in the order of their slots."""
    if not slots:
        return weight_GK
    gates = weight_GK.view(len(slots), -1, weight_GK.shape[1])
    return gates[sorted(range(len(slots)), key=lambda gate: slots[gate])].flatten(0, 1)


def in_order(weight_GK: Tensor, gates: int) -> Tensor:
    """Rows of each gate as vectors, as they are read for one sequence: panels × K × gates × lanes."""
    return by_unit(weight_GK, gates).permute(1, 2, 0, 3).contiguous()


def by_column(weight_GK: Tensor) -> Tensor:
    """Columns as vectors: panels × (gates · units) × lanes."""
    rows, columns = weight_GK.shape
    if not rows:
        return weight_GK
    weight_GK = F.pad(weight_GK, (0, padded(columns) - columns))
    return weight_GK.view(rows, -1, width().lanes).transpose(0, 1).contiguous()


def spread(row: int) -> int:
    """A row of whole vectors, an odd number, so that the same column of many rows fits a cache."""
    return (panels(row) | 1) * width().lanes


def _numbered(name: str, sizes: Sizes) -> list[list[Tensor]]:
    """Places of the weights of each sweep in `flat`, in their shapes: input's, state's, and both biases.

    A cell without a recurrent part has none of the second and the last.
    """
    place, found = 1, []
    for inputs, units in sizes:
        of_input, of_state = (len(s) * units for s in (CELL_CODES[name].from_input, CELL_CODES[name].from_state))
        of_sweep = []
        for shape in ((of_input, inputs), (of_state, units), (of_input,), (of_state,)):
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
    for i, ((_inputs, units), (input_GD, state_GU, *biases)) in enumerate(
        zip(sizes, _numbered(name, sizes), strict=True)
    ):
        vectors += [(i, by_unit(input_GD, len(cell.from_input))), (i, by_unit(state_GU, len(cell.from_state)))]
        from_input, from_state = (
            _sum_starts(bias_G, goes_to, cell.sums, units)
            for bias_G, goes_to in zip(biases, (cell.from_input, cell.from_state), strict=True)
        )
        starts.append((i, from_input))
        seconds.append(from_state)
    return _ordered([*vectors, *starts], seconds, len(sizes))


def sum_starts(name: str, input_bias_G: Tensor, state_bias_G: Tensor, units: int) -> Tensor:
    """What each sum starts from, sums × padded units."""
    cell = CELL_CODES[name]
    from_input = _sum_starts(input_bias_G, cell.from_input, cell.sums, units)
    return from_input + _sum_starts(state_bias_G, cell.from_state, cell.sums, units)


def _sum_starts(bias_G: Tensor, goes_to: tuple[int, ...], sums: int, units: int) -> Tensor:
    """For each sum the bias it starts from, sums × padded units."""
    starts = bias_G.new_zeros(sums, padded(units))
    for bias_U, to in zip(bias_G.view(len(goes_to), units), goes_to, strict=True):
        starts[to, :units] = bias_U
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

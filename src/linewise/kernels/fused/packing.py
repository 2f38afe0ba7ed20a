"""Weights as the programs want them: vectors of units, the last padded with zeros."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linewise.kernels.machine.cells import CELL_CODES, CellCode
from linewise.kernels.machine.compiled import width


class Weights(NamedTuple):
    """Of one direction, as torch has them."""

    input_GD: Tensor
    state_GU: Tensor
    input_bias_G: Tensor
    state_bias_G: Tensor

    @property
    def units(self) -> int:
        return self.state_GU.shape[1]


class Packed(NamedTuple):
    """Of one direction, for the forward pass: vectors of both weights, and what each sum starts from."""

    input_vectors: Tensor
    state_vectors: Tensor
    starts: Tensor


def by_direction(weights: Sequence[Tensor]) -> list[Weights]:
    """Four for each."""
    return [Weights(*(w.detach().contiguous() for w in weights[i : i + 4])) for i in range(0, len(weights), 4)]


def pack(name: str, weights: Weights) -> Packed:
    """The weights of a cell as they are now."""
    cell = CELL_CODES[name]
    return Packed(
        by_unit(weights.input_GD, cell.gates), by_unit(weights.state_GU, cell.gates), sum_starts(cell, weights)
    )


def _compare() -> Callable[[int, int, int], int] | None:
    """The C library's memcmp, ten times as fast as torch.equal."""
    try:
        found = ctypes.CDLL(None).memcmp
    except (OSError, AttributeError, TypeError):  # a system that names its C library otherwise
        return None
    found.argtypes = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t
    return found


_memcmp = _compare()


def _same(a: Tensor, b: Tensor) -> bool:
    """Whether two contiguous tensors are the same, number by number."""
    if a.shape != b.shape:
        return False
    if _memcmp is None:
        return torch.equal(a, b)
    return _memcmp(a.data_ptr(), b.data_ptr(), a.nbytes) == 0


def same_bytes(a: Tensor, b: Tensor) -> bool:
    """Whether `a` is the same as `b`, itself contiguous, number by number."""
    return _same(a.detach().contiguous(), b) if not a.is_contiguous() else _same(a, b)


_remembered: WeakKeyDictionary[nn.Module, tuple[list[Weights], list[Packed]]] = WeakKeyDictionary()


def packed_before(layer: nn.Module, name: str, directions: list[Weights]) -> list[Packed]:
    """What was packed last time, if the weights are the same still, number by number.

    Versions of tensors would be quicker to compare, but `tensor.data` goes past them.
    """
    before = _remembered.get(layer)
    if before is not None and all(
        _same(a, b)
        for now, then in zip(directions, before[0], strict=True)
        for a, b in zip(now, then, strict=True)
    ):
        return before[1]
    packed = [pack(name, weights) for weights in directions]
    _remembered[layer] = [Weights(*(w.clone() for w in weights)) for weights in directions], packed
    return packed


def panels(units: int) -> int:
    """Vectors that hold so many units."""
    return -(-units // width().lanes)


def padded(units: int) -> int:
    """Units up to the end of the last vector."""
    return panels(units) * width().lanes


def by_unit(weight_GK: Tensor, gates: int) -> Tensor:
    """Rows of each gate as vectors: gates × panels × K × lanes."""
    units = len(weight_GK) // gates
    weight = weight_GK.view(gates, units, -1)
    if padded(units) > units:
        weight = F.pad(weight, (0, 0, 0, padded(units) - units))
    return weight.view(gates, panels(units), width().lanes, -1).transpose(2, 3).contiguous()


def in_order(weight_GK: Tensor, gates: int) -> Tensor:
    """Rows of each gate as vectors, as they are read for one sequence: panels × K × gates × lanes."""
    return by_unit(weight_GK, gates).permute(1, 2, 0, 3).contiguous()


def by_column(weight_GK: Tensor) -> Tensor:
    """Columns as vectors: panels × (gates · units) × lanes."""
    rows, columns = weight_GK.shape
    if padded(columns) > columns:
        weight_GK = F.pad(weight_GK, (0, padded(columns) - columns))
    return weight_GK.view(rows, -1, width().lanes).transpose(0, 1).contiguous()


def sum_starts(cell: CellCode, weights: Weights) -> Tensor:
    """What each sum starts from, its biases: sums × padded units."""
    if cell.from_input == cell.from_state:
        starts = (weights.input_bias_G + weights.state_bias_G).view(cell.sums, -1)
        return F.pad(starts, (0, padded(weights.units) - weights.units))
    starts = weights.input_GD.new_zeros(cell.sums, padded(weights.units))
    for bias_G, goes_to in ((weights.input_bias_G, cell.from_input), (weights.state_bias_G, cell.from_state)):
        for bias_U, place in zip(bias_G.chunk(cell.gates), goes_to, strict=True):
            starts[place, : weights.units] += bias_U
    return starts


def spread(row: int) -> int:
    """A row of whole vectors, an odd number, so that the same column of many rows fits a cache."""
    return (panels(row) | 1) * width().lanes

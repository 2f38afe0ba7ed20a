"""Weights as the programs want them: vectors of units, the last padded with zeros."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from linewise.kernels.machine.cells import CellCode
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

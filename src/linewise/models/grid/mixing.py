"""Token mixing over a grid, channels last (`x_BHWC`): BiLSTM2D, its one-dimensional form, and what stands in for
it when a study asks whether recurrence is needed at all."""

from __future__ import annotations

import math
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linewise.foundations.errors import ConfigError, unknown_name
from linewise.kernels import CELLS, LAYERS, Beside, Linear, recurrent_layer
from linewise.kernels.fused import swept

UNIONS = ("concat", "add", "vertical", "horizontal")
PROJECTIONS = ("linear", "none")


def check_cell(cell: str) -> None:
    """Refuse a cell that is not known.

    Raises:
        ConfigError: with the nearest names.
    """
    if cell not in (*LAYERS, *CELLS):
        raise unknown_name("cell", cell, (*LAYERS, *CELLS))


def _sweep(cell: str, num_inputs: int, num_hidden: int, directions: int) -> nn.Module:
    """One layer of a cell; torch's own start as in the Sequencer paper, U(-1/√D, 1/√D) throughout."""
    check_cell(cell)
    if directions not in (1, 2):
        raise ConfigError(f"directions = {directions}", expected="1 or 2")
    layer = recurrent_layer(cell, num_inputs, num_hidden, bidirectional=directions == 2)
    if cell in ("rnn", "lstm", "gru") and not next(layer.parameters()).is_meta:
        bound = 1 / math.sqrt(num_hidden)
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, -bound, bound)
    return layer


@final
class Sweeps2D(Beside):
    """BiLSTM2D (Tatsunami & Taki 2022): every column and every row of the grid is read as a sequence.

    Names of weights are timm's: `rnn_v` (vertical), `rnn_h` (horizontal), `fc` (the union).

    Args:
        channels: C, in and out.
        hidden: D, units per direction.
        cell: any recurrent cell.
        directions: 2, or 1 for an ablation.
        union: `concat` (vertical, then horizontal), `add`, or one of the two alone.
        projection: `linear` back to C, or `none`, where the union has C channels by itself.

    Raises:
        ConfigError: an unknown choice, or widths that do not meet without a projection.
    """

    def __init__(
        self, channels: int, hidden: int, *, cell: str, directions: int, union: str, projection: str
    ) -> None:
        super().__init__()
        for kind, value, known in (("union", union, UNIONS), ("projection", projection, PROJECTIONS)):
            if value not in known:
                raise unknown_name(kind, value, known)
        self.union = union
        sweeps = {"concat": 2, "add": 2}.get(union, 1)
        self.rnn_v = _sweep(cell, channels, hidden, directions) if union != "horizontal" else None
        self.rnn_h = _sweep(cell, channels, hidden, directions) if union != "vertical" else None
        self.beside = tuple(n for n in ("rnn_v", "rnn_h") if getattr(self, n) is not None)
        width = directions * hidden * (sweeps if union == "concat" else 1)
        if projection == "none" and width != channels:
            raise ConfigError(
                f"a union of {width} numbers for {channels} channels, without a projection",
                where="projection=none",
                expected=f"hidden = {channels * hidden / width:g}, or projection=linear",
            )
        self.fc = Linear(width, channels) if projection == "linear" else nn.Identity()

    def forward(self, x_BHWC: Tensor) -> Tensor:
        return self.fc(self._union(x_BHWC))

    def _union(self, x_BHWC: Tensor) -> Tensor:
        b, h, w, _ = x_BHWC.shape
        if self.rnn_v is not None and self.rnn_h is not None:
            states_BHWF = swept(self.rnn_v, self.rnn_h, x_BHWC)
            if states_BHWF is not None:
                vertical, horizontal = states_BHWF.chunk(2, dim=-1)
                return vertical + horizontal if self.union == "add" else states_BHWF
        found: list[Tensor] = []
        if self.rnn_v is not None:
            states, _ = self.rnn_v(x_BHWC.transpose(0, 1).reshape(h, b * w, -1))
            found.append(states.unflatten(1, (b, w)).transpose(0, 1))
        if self.rnn_h is not None:
            states, _ = self.rnn_h(x_BHWC.permute(2, 0, 1, 3).reshape(w, b * h, -1))
            found.append(states.unflatten(1, (b, h)).permute(1, 2, 0, 3))
        return found[0] + found[1] if self.union == "add" else torch.cat(found, dim=-1)


@final
class Sweep1D(nn.Module):
    """The vanilla Sequencer's mixing: one bidirectional reader over the grid, line by line."""

    def __init__(self, channels: int, hidden: int, *, cell: str) -> None:
        super().__init__()
        if 2 * hidden != channels:
            raise ConfigError(
                f"hidden = {hidden} for {channels} channels", expected=f"half the channels: {channels / 2:g}"
            )
        self.rnn = _sweep(cell, channels, hidden, 2)

    def forward(self, x_BHWC: Tensor) -> Tensor:
        _, h, w, _ = x_BHWC.shape
        states, _ = self.rnn(x_BHWC.flatten(1, 2).transpose(0, 1))
        return states.transpose(0, 1).unflatten(1, (h, w))


@final
class Pooling(nn.Module):
    """3×3 means less the cell itself, as in PoolFormer (Yu et al. 2022): neighbours mix, nothing is learned."""

    def forward(self, x_BHWC: Tensor) -> Tensor:
        x_BCHW = x_BHWC.permute(0, 3, 1, 2)
        mean_BCHW = F.avg_pool2d(x_BCHW, 3, stride=1, padding=1, count_include_pad=False)
        return (mean_BCHW - x_BCHW).permute(0, 2, 3, 1)

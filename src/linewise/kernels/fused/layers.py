"""torch's recurrent layers with the fused kernels inside: same weights, same names, same answers."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn

from linewise.kernels.fused.gradients import fused, fused_grid, learns, weights_of
from linewise.kernels.machine.compiled import available
from linewise.kernels.plain import is_plain

LSTM_LEARNS_FROM = 24
"""Sequences from which the LSTM's training gains; below, torch's own is faster (benchmarks/LOG.md)."""
LSTM_LOSES = range(4, 11)
"""Numbers of sequences at which the LSTM's forward pass alone gains nothing."""


def _lstm_wins(layer: nn.RNNBase, x_TBD: Tensor) -> bool:
    if learns(x_TBD, weights_of(layer)):
        return x_TBD.shape[1] >= LSTM_LEARNS_FROM
    return x_TBD.shape[1] not in LSTM_LOSES


def fits(layer: nn.RNNBase, x: Tensor, state: Any) -> bool:
    """Whether the kernels can compute this call; otherwise torch's own layer does.

    They know one layer from zero states, time first, float32 on the processor; torch's tracers, transforms and
    casts see through torch's layers only.
    """
    return state is None and x.ndim == 3 and _fits(layer, x)


def _fits(layer: nn.RNNBase, x: Tensor) -> bool:
    weight = layer.weight_ih_l0
    return (
        is_plain(x)
        and x.dtype == weight.dtype
        and x.device == weight.device
        and x.shape[-1] == layer.input_size
        and x.numel() > 0
        and layer.num_layers == 1
        and bool(layer.bias)
        and not layer.batch_first
        and not layer.proj_size
        and available()
    )


def _states(layer: nn.RNNBase, h_TBU: Tensor) -> Tensor:
    """The last state of each direction, `RBU`."""
    if not layer.bidirectional:
        return h_TBU[-1:]
    units = layer.hidden_size
    return torch.stack([h_TBU[-1, :, :units], h_TBU[0, :, units:]])


@final
class FusedGRU(nn.GRU):
    """`nn.GRU`, one layer of one or two directions, time first."""

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        if not fits(self, input, hx):
            return super().forward(input, hx)
        h_TBU, _ = fused("gru", self, input, weights_of(self))
        return h_TBU, _states(self, h_TBU)


@final
class FusedRNN(nn.RNN):
    """`nn.RNN` with tanh; ReLU stays torch's."""

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self.nonlinearity != "tanh" or not fits(self, input, hx):
            return super().forward(input, hx)
        h_TBU, _ = fused("rnn", self, input, weights_of(self))
        return h_TBU, _states(self, h_TBU)


@final
class FusedLSTM(nn.LSTM):
    """`nn.LSTM`, one layer of one or two directions, time first."""

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        if not fits(self, input, hx) or not _lstm_wins(self, input):
            return super().forward(input, hx)
        h_TBU, memory_RBU = fused("lstm", self, input, weights_of(self))
        return h_TBU, (_states(self, h_TBU), memory_RBU)


CELLS: dict[type[nn.RNNBase], str] = {FusedGRU: "gru", FusedRNN: "rnn", FusedLSTM: "lstm"}


def swept(down: nn.Module, across: nn.Module, x_BHWC: Tensor) -> Tensor | None:
    """Both layers over the columns and the rows of a grid, as one: hidden states `h_BHWF`, columns' first.

    None where the kernels cannot do that, or would gain nothing; then each layer reads by itself.
    """
    name = CELLS.get(type(down))  # pyright: ignore[reportArgumentType]
    if name is None or type(across) is not type(down) or x_BHWC.ndim != 4:
        return None
    assert isinstance(down, nn.RNNBase)
    assert isinstance(across, nn.RNNBase)
    if (down.input_size, down.hidden_size, down.bidirectional) != (
        across.input_size, across.hidden_size, across.bidirectional,
    ) or x_BHWC.shape[0] < torch.get_num_threads():  # fmt: skip
        return None
    for layer in (down, across):
        if not _fits(layer, x_BHWC) or layer._forward_hooks or layer._forward_pre_hooks:
            return None
        if getattr(layer, "nonlinearity", "tanh") != "tanh":
            return None
    if name == "lstm" and learns(x_BHWC, weights_of(down)):
        batch, height, width, _ = x_BHWC.shape
        if batch * min(height, width) < LSTM_LEARNS_FROM:
            return None
    return fused_grid(name, (down, across), x_BHWC)


def cells_of(network: nn.Module) -> set[str]:
    """Which cells have kernels here, of those in a network."""
    names = {CELLS.get(type(layer), getattr(layer, "fused", "")) for layer in network.modules()}  # pyright: ignore
    return names - {""}

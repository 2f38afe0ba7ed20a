"""torch's recurrent layers with the fused kernels inside: same weights, same names, same answers."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn

from linewise.kernels.fused.gradients import fused, learns, weights_of
from linewise.kernels.fused.promise import ready
from linewise.kernels.fused.shares import LEAST_ROWS
from linewise.kernels.machine.compiled import available
from linewise.kernels.plain import is_plain

FEW = 32
"""Up to so many sequences at once, packing the weights takes a good part of the time, and is remembered."""
LSTM_LEARNS_FROM = 24
"""Sequences from which the LSTM's training gains; below, torch's own is faster (benchmarks/LOG.md)."""
LSTM_LARGE, LSTM_LOSES = 192, (3, 4, 5, 7, 8)
"""Above so many units, numbers of sequences at which the LSTM's forward pass alone gains nothing."""
LSTM_LEARNS_LARGE = 1024
"""Sequences × steps from which such an LSTM's training gains."""


def _lstm_wins(layer: nn.RNNBase, x_TBD: Tensor) -> bool:
    if learns(x_TBD, weights_of(layer)):
        steps, batch, _ = x_TBD.shape
        large = layer.hidden_size > LSTM_LARGE
        return batch >= LSTM_LEARNS_FROM and not (large and steps * batch < LSTM_LEARNS_LARGE)
    return layer.hidden_size <= LSTM_LARGE or x_TBD.shape[1] not in LSTM_LOSES


def _look_at_weights(layer: nn.RNNBase) -> None:
    """Let the layer gather its weights again where others are in their place, as in `torch.func.functional_call`.

    Torch's own layers ask at every call, which takes them ten times as long.
    """
    now = layer._parameters
    for name, weight in zip(layer._flat_weights_names, layer._flat_weights, strict=True):
        if now.get(name) is not weight:
            layer._update_flat_weights()
            return


def fits(layer: nn.RNNBase, x: Tensor, state: Any) -> bool:
    """Whether the kernels can compute this call; otherwise torch's own layer does.

    They know one layer, time first, float32 on the processor, from zero states (one sequence: from any, see
    `one_step`); torch's tracers, transforms and casts see through torch's layers only.
    """
    return x.ndim == 3 and (state is None or _one_state(layer, x, state)) and fits_layer(layer, x)


def fits_layer(layer: nn.RNNBase, x: Tensor) -> bool:
    """Whether the kernels can compute this layer, from zero states, on these numbers."""
    _look_at_weights(layer)
    weight = layer._flat_weights[0]
    assert weight is not None
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


def _one_state(layer: nn.RNNBase, x: Tensor, state: Any) -> bool:
    """Whether these are states before one sequence, and no gradient is asked for."""
    parts = state if isinstance(layer, nn.LSTM) else (state,)
    shape = (2 if layer.bidirectional else 1, 1, layer.hidden_size)
    return (
        isinstance(x, Tensor)
        and x.ndim == 3
        and x.shape[1] == 1
        and not learns(x, weights_of(layer))
        and isinstance(parts, tuple)
        and len(parts) == (2 if isinstance(layer, nn.LSTM) else 1)
        and all(
            type(t) is Tensor
            and t.shape == shape
            and t.dtype == torch.float32
            and t.device.type == "cpu"
            and t.layout == torch.strided
            and not (t.requires_grad and torch.is_grad_enabled())
            for t in parts
        )
    )


def _states(layer: nn.RNNBase, h_TBU: Tensor) -> Tensor:
    """The last state of each direction, `RBU`."""
    if not layer.bidirectional:
        return h_TBU[-1:]
    units = layer.hidden_size
    return torch.stack([h_TBU[-1, :, :units], h_TBU[0, :, units:]])


NAMES = {"RNN_TANH": "rnn", "GRU": "gru", "LSTM": "lstm"}


def reads_on(layer: nn.Module) -> bool:
    """Whether the kernels can read on with this layer, from the state where one sequence was left."""
    return type(layer) in (FusedGRU, FusedRNN, FusedLSTM) and layer.mode in NAMES and not layer.bidirectional  # pyright: ignore


def read_on(
    layer: nn.RNNBase, x_TBD: Tensor, state: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]] | None:
    """Hidden states `h_TBU` of one sequence after further steps, and the state to go on with; None where torch has
    to compute it.

    Args:
        state: hidden state and, of the LSTM, memory, `BU`.
    """
    if x_TBD.shape[1] != 1 or not reads_on(layer):
        return None
    given = tuple(s.unsqueeze(0) for s in state)
    given = given if len(given) == 2 else given[0]
    if not fits(layer, x_TBD, given):
        return None
    h_TBU, memory_RBU = _run(NAMES[layer.mode], layer, x_TBD, given)
    return h_TBU, (h_TBU[-1], memory_RBU[0]) if len(state) == 2 else (h_TBU[-1],)


def _run(name: str, layer: nn.RNNBase, x_TBD: Tensor, state: Any = None) -> tuple[Tensor, Tensor]:
    weights, batch = weights_of(layer), x_TBD.shape[1]
    one_thread = batch < 2 * LEAST_ROWS or torch.get_num_threads() == 1
    if batch <= FEW and one_thread and not learns(x_TBD, weights):
        if state is not None:
            state = tuple(t.contiguous() for t in (state if isinstance(state, tuple) else (state, state)))
        return ready(name, layer, weights, batch)(x_TBD, state)
    return fused(name, x_TBD, weights)


@final
class FusedGRU(nn.GRU):
    """`nn.GRU`, one layer of one or two directions, time first."""

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        if not fits(self, input, hx):
            return super().forward(input, hx)
        h_TBU, _ = _run("gru", self, input, hx)
        return h_TBU, _states(self, h_TBU)


@final
class FusedRNN(nn.RNN):
    """`nn.RNN` with tanh; ReLU stays torch's."""

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self.nonlinearity != "tanh" or not fits(self, input, hx):
            return super().forward(input, hx)
        h_TBU, _ = _run("rnn", self, input, hx)
        return h_TBU, _states(self, h_TBU)


@final
class FusedLSTM(nn.LSTM):
    """`nn.LSTM`, one layer of one or two directions, time first."""

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        if not fits(self, input, hx) or not _lstm_wins(self, input):
            return super().forward(input, hx)
        h_TBU, memory_RBU = _run("lstm", self, input, hx)
        return h_TBU, (_states(self, h_TBU), memory_RBU)


CELLS: dict[type[nn.RNNBase], str] = {FusedGRU: "gru", FusedRNN: "rnn", FusedLSTM: "lstm"}


def cells_of(network: nn.Module) -> set[str]:
    """Which cells have kernels here, of those in a network."""
    names = {CELLS.get(type(layer), getattr(layer, "fused", "")) for layer in network.modules()}  # pyright: ignore
    return names - {""}

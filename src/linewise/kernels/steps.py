"""One step of any recurrent layer, for reading that may end before the image does.

A layer over all steps is faster than its steps one by one; this pays where most of them are never taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from linewise.kernels.cell import Cell, State
from linewise.kernels.fused import read_on, reads_on

ONE_STEP: dict[str, Callable[..., Tensor]] = {
    "RNN_TANH": torch.rnn_tanh_cell,
    "RNN_RELU": torch.rnn_relu_cell,
    "GRU": torch.gru_cell,
}


def pays_together(layer: nn.Module) -> bool:
    """Whether several steps of one sequence at once cost much less than one after another."""
    return reads_on(layer)


def start(layer: nn.Module, batch_size: int) -> State:
    """The state of a layer before the first step."""
    if isinstance(layer, Cell):
        return layer.start(batch_size)
    assert isinstance(layer, nn.RNNBase), layer
    empty_BU = next(layer.parameters()).new_zeros(batch_size, layer.hidden_size)
    return (empty_BU, empty_BU) if isinstance(layer, nn.LSTM) else (empty_BU,)


def several(layer: nn.Module, state: State, x_TBD: Tensor) -> tuple[Tensor, State]:
    """Hidden states `h_TBU` after further steps, and the state to go on with."""
    if isinstance(layer, nn.RNNBase):
        ahead = read_on(layer, x_TBD, state)
        if ahead is not None:
            return ahead
    found = []
    for x_BD in x_TBD:
        h_BU, state = step(layer, state, x_BD)
        found.append(h_BU)
    return torch.stack(found), state


def step(layer: nn.Module, state: State, x_BD: Tensor) -> tuple[Tensor, State]:
    """Hidden state `h_BU` after one more step, and the state to go on with. The layer reads in one direction."""
    if isinstance(layer, Cell):
        return layer.step(state, x_BD)
    assert isinstance(layer, nn.RNNBase), layer
    ahead = read_on(layer, x_BD.unsqueeze(0), state)
    if ahead is not None:
        return ahead[0][0], ahead[1]
    weights: tuple[Any, ...] = (layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0)
    if isinstance(layer, nn.LSTM):
        h_BU, c_BU = torch.lstm_cell(x_BD, state, *weights)
        return h_BU, (h_BU, c_BU)
    h_BU = ONE_STEP[layer.mode](x_BD, state[0], *weights)
    return h_BU, (h_BU,)

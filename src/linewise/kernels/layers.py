"""The one place that chooses how a recurrent layer is computed.

tanh-RNN, LSTM and GRU are torch's layers with our kernels inside, which hand back to torch what they cannot do
(`fused.layers.fits`); IRNN is torch's own. All are held against `reference.run`. The others are our cells, each
with a `reference` of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from linewise.kernels.cell import Cell, TwoDirections
from linewise.kernels.fused import FusedGRU, FusedLSTM, FusedRNN
from linewise.kernels.lru import LRU, RGLRU
from linewise.kernels.mingru import MinGRU, MinLSTM
from linewise.kernels.mlstm import MLSTM

LAYERS: dict[str, Callable[..., nn.RNNBase]] = {
    "rnn": FusedRNN,
    "irnn": nn.RNN,
    "lstm": FusedLSTM,
    "gru": FusedGRU,
}
GATES: dict[str, int] = {"rnn": 1, "irnn": 1, "lstm": 4, "gru": 3}
CELLS: dict[str, Callable[[int, int], Cell]] = {
    "mingru": MinGRU,
    "minlstm": MinLSTM,
    "lru": LRU,
    "rglru": RGLRU,
    "mlstm": MLSTM,
}


def recurrent_layer(
    cell: str, num_inputs: int, num_hidden: int, *, bidirectional: bool = False
) -> nn.RNNBase | Cell | TwoDirections:
    """One recurrent layer, time first (`x_TBD` to `h_TBU`), initialised for reading images.

    Input weights are Xavier uniform, recurrent weights orthogonal per gate (Saxe et al. 2014), biases zero,
    the LSTM's forget bias one (Jozefowicz et al. 2015); the IRNN starts as the identity with small input
    weights (Le et al. 2015). The other cells say themselves how they start.

    Args:
        cell: `rnn` (tanh), `irnn` (ReLU), `lstm`, `gru`, `mingru`, `minlstm`, `lru`, `rglru` or `mlstm`.
        num_inputs: D, numbers per step.
        num_hidden: U, hidden units per direction.
        bidirectional: a second reader from the last step to the first; the outputs are concatenated.
    """
    if cell in CELLS:
        ahead = CELLS[cell](num_inputs, num_hidden)
        return TwoDirections(ahead, CELLS[cell](num_inputs, num_hidden)) if bidirectional else ahead
    options: dict[str, Any] = {"nonlinearity": "relu"} if cell == "irnn" else {}
    layer = LAYERS[cell](num_inputs, num_hidden, bidirectional=bidirectional, **options)
    if layer.weight_hh_l0.is_meta:  # no numbers, nothing to start
        return layer
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if cell == "irnn" and name.startswith("weight_hh"):
                nn.init.eye_(parameter)
            elif name.startswith("weight"):
                fill = nn.init.xavier_uniform_ if name.startswith("weight_ih") else nn.init.orthogonal_
                for gate in parameter.chunk(GATES[cell]):
                    fill(gate)
            else:
                parameter.zero_()
                if cell == "lstm" and name.startswith("bias_ih"):
                    parameter[num_hidden : 2 * num_hidden] = 1.0
    return layer

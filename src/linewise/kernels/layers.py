"""The one place that chooses how a recurrent layer is computed.

Today every cell runs on torch's own fused layers; `reference.run` is what they are held against.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

LAYERS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
GATES: dict[str, int] = {"rnn": 1, "lstm": 4, "gru": 3}


def recurrent_layer(cell: str, num_inputs: int, num_hidden: int, *, bidirectional: bool = False) -> nn.RNNBase:
    """One recurrent layer, batch first, initialised for reading images.

    Input weights are Xavier uniform, recurrent weights orthogonal per gate (Saxe et al. 2014), biases zero,
    the LSTM's forget bias one (Jozefowicz et al. 2015).

    Args:
        cell: `rnn` (tanh), `lstm` or `gru`.
        num_inputs: D, numbers per step.
        num_hidden: U, hidden units per direction.
        bidirectional: a second reader from the last step to the first; the outputs are concatenated.
    """
    layer = LAYERS[cell](num_inputs, num_hidden, batch_first=True, bidirectional=bidirectional)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if name.startswith("weight"):
                fill = nn.init.xavier_uniform_ if name.startswith("weight_ih") else nn.init.orthogonal_
                for gate in parameter.chunk(GATES[cell]):
                    fill(gate)
            else:
                parameter.zero_()
                if cell == "lstm" and name.startswith("bias_ih"):
                    parameter[num_hidden : 2 * num_hidden] = 1.0
    return layer

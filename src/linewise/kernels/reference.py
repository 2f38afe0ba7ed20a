"""Recurrent cells written to be read: one step after another, nothing fused.

Every fast path must agree with these in value and gradient. Gate order and the two bias vectors are torch's,
so that weights can be exchanged. G is the number of gates (tanh-RNN and IRNN 1, GRU 3, LSTM 4).

Sources: Elman 1990 (tanh-RNN); Le et al. 2015 (IRNN); Hochreiter & Schmidhuber 1997,
Gers et al. 2000 (LSTM with forget gate); Cho et al. 2014 (GRU, in cuDNN's variant with the reset gate after the
product).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Step = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def rnn_step(in_BG: Tensor, hidden_BU: Tensor, state_BU: Tensor, rec_BG: Tensor) -> tuple[Tensor, Tensor]:
    """h = tanh(input + recurrent)."""
    return torch.tanh(in_BG + rec_BG), state_BU


def irnn_step(in_BG: Tensor, hidden_BU: Tensor, state_BU: Tensor, rec_BG: Tensor) -> tuple[Tensor, Tensor]:
    """h = ReLU(input + recurrent)."""
    return torch.relu(in_BG + rec_BG), state_BU


def lstm_step(in_BG: Tensor, hidden_BU: Tensor, state_BU: Tensor, rec_BG: Tensor) -> tuple[Tensor, Tensor]:
    """c = forget·c + input·candidate; h = output·tanh(c)."""
    input_, forget, candidate, output = (in_BG + rec_BG).chunk(4, dim=1)
    state_BU = torch.sigmoid(forget) * state_BU + torch.sigmoid(input_) * torch.tanh(candidate)
    return torch.sigmoid(output) * torch.tanh(state_BU), state_BU


def gru_step(in_BG: Tensor, hidden_BU: Tensor, state_BU: Tensor, rec_BG: Tensor) -> tuple[Tensor, Tensor]:
    """h = (1 - update)·candidate + update·h, the reset gate on the recurrent part of the candidate."""
    in_reset, in_update, in_candidate = in_BG.chunk(3, dim=1)
    rec_reset, rec_update, rec_candidate = rec_BG.chunk(3, dim=1)
    reset, update = torch.sigmoid(in_reset + rec_reset), torch.sigmoid(in_update + rec_update)
    candidate = torch.tanh(in_candidate + reset * rec_candidate)
    return (1 - update) * candidate + update * hidden_BU, state_BU


STEPS: dict[str, Step] = {"rnn": rnn_step, "irnn": irnn_step, "lstm": lstm_step, "gru": gru_step}


def run(
    cell: str,
    x_BTD: Tensor,
    weight_ih_GD: Tensor,
    weight_hh_GU: Tensor,
    bias_ih_G: Tensor,
    bias_hh_G: Tensor,
    *,
    reverse: bool = False,
) -> Tensor:
    """One layer in one direction, from zero states.

    Args:
        cell: `rnn`, `irnn`, `lstm` or `gru`.
        reverse: read from the last step to the first; the output keeps the order of the input.

    Returns:
        Hidden states `h_BTU`.
    """
    step = STEPS[cell]
    hidden_BU = x_BTD.new_zeros(x_BTD.shape[0], weight_hh_GU.shape[1])
    state_BU = torch.zeros_like(hidden_BU)
    outputs: list[Tensor] = []
    times = range(x_BTD.shape[1])
    for t in reversed(times) if reverse else times:
        in_BG = x_BTD[:, t] @ weight_ih_GD.T + bias_ih_G
        rec_BG = hidden_BU @ weight_hh_GU.T + bias_hh_G
        hidden_BU, state_BU = step(in_BG, hidden_BU, state_BU, rec_BG)
        outputs.append(hidden_BU)
    return torch.stack(outputs[::-1] if reverse else outputs, dim=1)

"""The gates of a recurrent layer, step by step, by torch's equations written to be read.

`nn.LSTM`:  c = forget·c + input·candidate,  h = output·tanh(c).
`nn.GRU`:   h = (1 - update)·candidate + update·h, the reset gate on the recurrent part of the candidate.
`nn.RNN`:   h = tanh(input + recurrent), or ReLU of it.
Sources: Hochreiter & Schmidhuber 1997, Gers et al. 2000; Cho et al. 2014; Elman 1990, Le et al. 2015.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

Gates = dict[str, list[Tensor]]


def gates_of(layer: nn.Module, x_TD: Tensor) -> dict[str, np.ndarray] | None:
    """What a layer computes after each step, each `TU`, by name; two directions side by side.

    Args:
        layer: of torch, one layer, in one or two directions.
        x_TD: its input, one image.

    Returns:
        None for a layer that is none of torch's.
    """
    if not isinstance(layer, nn.RNNBase):
        return None
    ahead = _direction(layer, "", x_TD)
    if not layer.bidirectional:
        return {name: values_TU.numpy() for name, values_TU in ahead.items()}
    back = _direction(layer, "_reverse", x_TD.flip(0))
    return {name: torch.cat([ahead[name], back[name].flip(0)], dim=1).numpy() for name in ahead}


def _direction(layer: nn.RNNBase, ending: str, x_TD: Tensor) -> dict[str, Tensor]:
    weight_ih_GD, weight_hh_GU, bias_ih_G, bias_hh_G = (
        getattr(layer, f"{kind}_l0{ending}").detach() for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    in_TG = torch.addmm(bias_ih_G, x_TD, weight_ih_GD.T)
    recurrent = (weight_hh_GU, bias_hh_G)
    if isinstance(layer, nn.LSTM):
        found = _lstm(in_TG, *recurrent)
    elif isinstance(layer, nn.GRU):
        found = _gru(in_TG, *recurrent)
    else:
        found = _rnn(in_TG, *recurrent, torch.relu if layer.mode == "RNN_RELU" else torch.tanh)
    return {name: torch.stack(values) for name, values in found.items()}


def _lstm(in_TG: Tensor, weight_GU: Tensor, bias_G: Tensor) -> Gates:
    h_U = c_U = in_TG.new_zeros(weight_GU.shape[1])
    found: Gates = {name: [] for name in ("input", "forget", "candidate", "output", "cell", "hidden")}
    for in_G in in_TG:
        input_U, forget_U, candidate_U, output_U = (in_G + torch.addmv(bias_G, weight_GU, h_U)).chunk(4)
        input_U, forget_U, output_U = input_U.sigmoid(), forget_U.sigmoid(), output_U.sigmoid()
        candidate_U = candidate_U.tanh()
        c_U = forget_U * c_U + input_U * candidate_U
        h_U = output_U * c_U.tanh()
        _keep(found, input_U, forget_U, candidate_U, output_U, c_U, h_U)
    return found


def _gru(in_TG: Tensor, weight_GU: Tensor, bias_G: Tensor) -> Gates:
    h_U = in_TG.new_zeros(weight_GU.shape[1])
    found: Gates = {name: [] for name in ("reset", "update", "candidate", "hidden")}
    for in_G in in_TG:
        in_reset_U, in_update_U, in_candidate_U = in_G.chunk(3)
        rec_reset_U, rec_update_U, rec_candidate_U = torch.addmv(bias_G, weight_GU, h_U).chunk(3)
        reset_U, update_U = (in_reset_U + rec_reset_U).sigmoid(), (in_update_U + rec_update_U).sigmoid()
        candidate_U = (in_candidate_U + reset_U * rec_candidate_U).tanh()
        h_U = (1 - update_U) * candidate_U + update_U * h_U
        _keep(found, reset_U, update_U, candidate_U, h_U)
    return found


def _rnn(in_TG: Tensor, weight_GU: Tensor, bias_G: Tensor, squash: Callable[[Tensor], Tensor]) -> Gates:
    h_U = in_TG.new_zeros(weight_GU.shape[1])
    found: Gates = {"hidden": []}
    for in_G in in_TG:
        h_U = squash(in_G + torch.addmv(bias_G, weight_GU, h_U))
        _keep(found, h_U)
    return found


def _keep(found: Gates, *values: Tensor) -> None:
    for kept, value_U in zip(found.values(), values, strict=True):
        kept.append(value_U)

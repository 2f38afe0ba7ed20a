"""The same network on torch's own layers, to be timed beside ours."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn

N = TypeVar("N", bound=nn.Module)
TORCHS = (nn.RNN, nn.LSTM, nn.GRU, nn.Linear)


def with_torchs_layers(network: N) -> N | None:
    """A copy whose recurrent and linear layers are torch's, weights and all; None where they are already.

    A layer with kernels of ours is a subclass of torch's layer with the same weights, so that a copy only needs
    another class. Cells that torch does not have (minGRU and others) stay as they are.
    """
    if not any(map(_is_ours, network.modules())):
        return None
    twin = copy.deepcopy(network)
    for layer in filter(_is_ours, twin.modules()):
        torchs = next(kind for kind in TORCHS if isinstance(layer, kind))
        object.__setattr__(layer, "__class__", torchs)
    return twin


def _is_ours(layer: nn.Module) -> bool:
    return isinstance(layer, TORCHS) and not type(layer).__module__.startswith("torch.")

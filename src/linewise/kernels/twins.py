"""The same network on torch's own recurrent layers, to be timed beside ours."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn

N = TypeVar("N", bound=nn.Module)
TORCHS = (nn.RNN, nn.LSTM, nn.GRU)


def with_torchs_layers(network: N) -> N | None:
    """A copy whose recurrent layers are torch's, weights and all; None where they are already.

    A layer with kernels of ours is a subclass of torch's layer with the same weights, so that a copy only needs
    another class. Cells that torch does not have (minGRU and others) stay as they are.
    """
    if not any(isinstance(layer, TORCHS) and type(layer) not in TORCHS for layer in network.modules()):
        return None
    twin = copy.deepcopy(network)
    for layer in twin.modules():
        for torchs in TORCHS:
            if isinstance(layer, torchs):
                object.__setattr__(layer, "__class__", torchs)
    return twin

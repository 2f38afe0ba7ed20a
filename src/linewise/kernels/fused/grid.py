"""Two layers over the columns and the rows of a grid, as one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from linewise.kernels.fused import layers
from linewise.kernels.fused.gradients import fused_grid, learns, weights_of


def swept(down: nn.Module, across: nn.Module, x_BHWC: Tensor) -> Tensor | None:
    """Both layers over the columns and the rows of a grid, as one: hidden states `h_BHWF`, columns' first.

    None where the kernels cannot do that, or would gain nothing; then each layer reads by itself.
    """
    name = layers.CELLS.get(type(down))  # pyright: ignore[reportArgumentType]
    if name is None or type(across) is not type(down) or x_BHWC.ndim != 4:
        return None
    assert isinstance(down, nn.RNNBase)
    assert isinstance(across, nn.RNNBase)
    if (down.input_size, down.hidden_size, down.bidirectional) != (
        across.input_size, across.hidden_size, across.bidirectional,
    ) or x_BHWC.shape[0] < torch.get_num_threads():  # fmt: skip
        return None
    if not learns(x_BHWC, weights_of(down)) and x_BHWC.shape[0] * min(x_BHWC.shape[1:3]) <= layers.FEW:
        return None  # weights that are remembered win
    for layer in (down, across):
        if not layers.fits_layer(layer, x_BHWC) or layer._forward_hooks or layer._forward_pre_hooks:
            return None
        if getattr(layer, "nonlinearity", "tanh") != "tanh":
            return None
    if name == "lstm" and learns(x_BHWC, weights_of(down)):
        batch, height, width, _ = x_BHWC.shape
        if batch * min(height, width) < layers.LSTM_LEARNS_FROM:
            return None
    return fused_grid(name, (down, across), x_BHWC)

"""What one image costs in training, by closed forms: forward pass, gradients of weights and of inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor, nn

from linewise.models.controls.vit import Attend
from linewise.models.cost import Counted, as_in_training
from linewise.models.create import create_on_meta
from linewise.models.network import NetworkConfig


@as_in_training()
def training_macs(config: NetworkConfig) -> int:
    """Multiply-accumulates of one image's forward and backward pass.

    A product of x and W costs as much again for the gradient of W, and as much again for that of x, which the
    first layer leaves out. A recurrent layer's states always need theirs: R·G·T·U·(3D + 3U), less R·G·T·U·D in
    the first layer. Networks that torch alone counts (`timm:…`) take three times their forward pass.
    """
    ghost = create_on_meta(config)
    counted = _CountedBothWays(lenient=ghost.counted_by_torch)
    if ghost.counted_by_torch:
        from linewise.models.cost import cost_of

        return 3 * cost_of(config).macs
    for layer in ghost.modules():
        if isinstance(layer, nn.RNNBase):
            layer.forward = _unstepped(layer)
    batch = 2  # batch norm refuses one
    with counted.watch(ghost):
        ghost(torch.zeros(batch, config.in_chans, *config.img_size, device="meta"))
    return counted.both_ways // batch


def _unstepped(layer: nn.RNNBase) -> Callable[[Tensor], tuple[Tensor, None]]:
    """Only the shape of the answer: steps on the meta device take long."""
    features = (2 if layer.bidirectional else 1) * layer.hidden_size
    return lambda x_TBD: (x_TBD.new_empty(*x_TBD.shape[:2], features, requires_grad=True), None)


@final
class _CountedBothWays(Counted):
    """Forward and backward of every layer that was called."""

    both_ways = 0

    def _count(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
        before = self.calls.get(layer, (0, 0))[0]
        super()._count(layer, inputs, output)
        macs = self.calls.get(layer, (0, 0))[0] - before
        self.both_ways += 3 * macs
        if not inputs[0].requires_grad and not isinstance(layer, Attend):
            inputs_share = 1.0
            if isinstance(layer, nn.RNNBase):
                inputs_share = layer.input_size / (layer.input_size + layer.hidden_size)
            self.both_ways -= round(macs * inputs_share)

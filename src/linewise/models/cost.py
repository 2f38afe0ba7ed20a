"""What a network costs for one image, right for recurrent layers too.

Common counters report 0 for an LSTM. Here every layer with weights has a closed form, the whole is held against
torch's own counter on the meta device (where it sees recurrent layers), and a layer without a closed form is an
error, never a silent zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from linewise.foundations.records import Cost
from linewise.kernels import GATES, Beside, Cell, Linear
from linewise.models.controls.vit import Attend
from linewise.models.create import count_parameters, create_on_meta
from linewise.models.measured import Measured
from linewise.models.network import Network, NetworkConfig

Rule = Callable[[Any, Tensor, Tensor], tuple[int, int]]


def _linear(layer: nn.Linear, x: Tensor, y: Tensor) -> tuple[int, int]:
    return y.numel() * layer.in_features, 1


def _conv2d(layer: nn.Conv2d, x: Tensor, y: Tensor) -> tuple[int, int]:
    return y.numel() * math.prod(layer.kernel_size) * layer.in_channels // layer.groups, 1


def _recurrent(layer: nn.RNNBase, x_TBD: Tensor, y_TBF: Tensor) -> tuple[int, int]:
    """R·G·B·T·U·(D + U) multiply-accumulates in T dependent steps, per layer."""
    gates, directions = GATES[layer.mode.split("_")[0].lower()], 2 if layer.bidirectional else 1
    steps, batch, inputs = x_TBD.transpose(0, 1).shape if layer.batch_first else x_TBD.shape
    macs = directions * gates * batch * steps * layer.hidden_size * (inputs + layer.hidden_size)
    return macs, steps


def _cell(cell: Any, x_TBD: Tensor, y_TBU: Tensor) -> tuple[int, int]:
    steps, batch, _ = x_TBD.shape
    return batch * cell.macs(steps), cell.depth(steps)


def _attend(layer: Attend, q_BNTd: Tensor, y: Tensor) -> tuple[int, int]:
    """Scores and sums: T²·d each, per head."""
    batch, heads, steps, size = q_BNTd.shape
    return 2 * batch * heads * steps**2 * size, 2


RULES: dict[type[nn.Module], Rule] = {
    nn.Linear: _linear,
    Linear: _linear,
    nn.Conv2d: _conv2d,
    Attend: _attend,
}
ELEMENTWISE: tuple[type[nn.Module], ...] = (nn.BatchNorm2d, nn.LayerNorm)
"""Layers with weights but without matrix products: no MACs, no step that waits."""


def _by_kind(layer: nn.Module) -> Rule | None:
    if isinstance(layer, Cell):
        return _cell
    return _recurrent if isinstance(layer, nn.RNNBase) else None


def parameters_of(config: NetworkConfig) -> int:
    """Parameters of a network that need not exist yet."""
    return count_parameters(create_on_meta(config))


@contextmanager
def as_in_training() -> Iterator[None]:
    """Gradients and float32, whatever the caller has switched off or on."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(default)


@as_in_training()
def macs_of(config: NetworkConfig) -> int:
    """Multiply-accumulates for one image by the closed forms alone, recurrent layers not stepped through.

    Much faster than `cost_of` on long sequences; meant for the width solver.
    """
    ghost = create_on_meta(config)
    for layer in ghost.modules():
        if isinstance(layer, nn.RNNBase):
            layer.forward = _unstepped(layer)
    counted = Counted()
    if ghost.counted_by_torch:
        return cost_of(config).macs
    with counted.watch(ghost), torch.no_grad():
        ghost.eval()(torch.zeros(1, config.in_chans, *config.img_size, device="meta"))
    return counted.macs


def _unstepped(layer: nn.RNNBase) -> Callable[[Tensor], tuple[Tensor, None]]:
    directions = 2 if layer.bidirectional else 1
    return lambda x_TBD: (x_TBD.new_empty(*x_TBD.shape[:2], directions * layer.hidden_size), None)


def cost_of(config: NetworkConfig) -> Cost:
    """The cost of a network that need not exist yet.

    Raises:
        TypeError: a layer has weights and no closed form here (our own mistake).
    """
    return cost(create_on_meta(config), config)


@as_in_training()
def cost(network: Network, config: NetworkConfig | None = None) -> Cost:
    """Parameters, multiply-accumulates, activation memory and sequential depth for one image.

    Args:
        network: any registered network; it is not run, a copy without numbers is.

    Raises:
        TypeError: a layer has weights and no closed form here (our own mistake).

    >>> from linewise.models import create_model
    >>> cost(create_model("lstm", num_classes=10, hidden=128)).macs   # 4·28·128·(28 + 128) + 128·10
    2237696
    """
    config = config or network.config
    ghost, batch = create_on_meta(config), 2  # two images: batch norm refuses one
    counted = Counted(lenient=ghost.counted_by_torch)
    with counted.watch(ghost):
        measured = _pass(ghost, config, batch)
    macs = measured.flops // 2 if ghost.counted_by_torch else counted.macs
    if macs * 2 != measured.flops:
        raise TypeError(f"{config.name}: closed forms {macs}, torch counts {measured.flops // 2} MACs")
    one_more = _pass(ghost, config, batch + 1)  # what is kept once per batch is no image's
    return Cost(
        parameters=count_parameters(ghost),
        macs=macs // batch,
        activation_bytes=one_more.saved_bytes - measured.saved_bytes,
        sequential_depth=None if ghost.counted_by_torch else counted.depth(ghost),
    )


def _pass(ghost: Network, config: NetworkConfig, batch: int) -> Measured:
    measured = Measured(ghost)
    with measured.watch(ghost):
        ghost(torch.zeros(batch, config.in_chans, *config.img_size, device="meta"))
    return measured


class Counted:
    """Closed forms of every layer that was called."""

    def __init__(self, *, lenient: bool = False) -> None:
        self.lenient = lenient
        self.calls: dict[nn.Module, tuple[int, int]] = {}

    @property
    def macs(self) -> int:
        return sum(macs for macs, _ in self.calls.values())

    @contextmanager
    def watch(self, network: nn.Module) -> Iterator[None]:
        leaves = [m for m in network.modules() if not any(True for _ in m.children())]
        handles = [leaf.register_forward_hook(self._count) for leaf in leaves]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _count(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
        rule = _by_kind(layer) or RULES.get(type(layer))
        if rule is None:
            weighted = any(True for _ in layer.parameters(recurse=False))
            if weighted and not self.lenient and not isinstance(layer, ELEMENTWISE):
                raise TypeError(f"no closed form for the cost of {type(layer).__name__}; add one to cost.RULES")
            return
        macs, depth = rule(layer, inputs[0], output[0] if isinstance(output, tuple) else output)
        before = self.calls.get(layer, (0, 0))
        self.calls[layer] = before[0] + macs, before[1] + depth

    def depth(self, module: nn.Module) -> int:
        """Children wait for one another, except those that stand side by side."""
        if module in self.calls:
            return self.calls[module][1]
        depths = {name: self.depth(child) for name, child in module.named_children()}
        beside = [depths.pop(name) for name in module.beside] if isinstance(module, Beside) else []
        return sum(depths.values()) + max(beside, default=0)

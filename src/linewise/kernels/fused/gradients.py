"""The fused layers as autograd sees them."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from linewise.kernels.fused import packing
from linewise.kernels.fused.ahead import ahead, kept_places
from linewise.kernels.fused.back import back
from linewise.kernels.fused.packing import ahead_order
from linewise.kernels.fused.sweeps import Unit, of_grid, of_layer


def fused(name: str, x_TBD: Tensor, weights: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Hidden states `h_TBU` of one layer from zero states, and the last memory of each direction, `RBU`.

    Args:
        name: `rnn`, `gru` or `lstm`.
        weights: four per direction, in torch's order.
    """
    units = weights[1].shape[1]
    if not dense(x_TBD):
        x_TBD = x_TBD.contiguous()
    unit = of_layer(tuple(x_TBD.shape), x_TBD.stride()[:2], units, len(weights) // 4)
    shape = (*x_TBD.shape[:2], units * len(unit.sweeps))
    if learns(x_TBD, weights):
        return _Fused.apply(name, unit, shape, x_TBD, *weights)  # pyright: ignore[reportReturnType]
    h_TBU, memory = _answer(name, unit, shape, x_TBD.detach(), weights)
    return h_TBU, _last_memory(name, unit, memory, keep=False)


def fused_grid(name: str, layers: tuple[nn.RNNBase, nn.RNNBase], x_BHWC: Tensor) -> Tensor:
    """Hidden states `h_BHWF` of two layers from zero states: the first reads columns, the second rows.

    F is the units of all directions: down, up, right, left.
    """
    weights, units = [w for layer in layers for w in weights_of(layer)], layers[0].hidden_size
    x_BHWC = x_BHWC.contiguous()
    unit = of_grid(tuple(x_BHWC.shape), units, len(weights) // 8)
    shape = (*x_BHWC.shape[:3], units * len(unit.sweeps))
    if learns(x_BHWC, weights):
        return _Fused.apply(name, unit, shape, x_BHWC, *weights)[0]  # pyright: ignore[reportOptionalSubscript]
    return _answer(name, unit, shape, x_BHWC.detach(), weights)[0]


def fused_cells(name: str, weights: list[Tensor], x_TBD: Tensor, units: int) -> Tensor:
    """Hidden states `h_TBU` of a cell without a recurrent part, in one or two directions.

    Args:
        name: `mingru` or `minlstm`.
        weights: weight and bias of each direction.
    """
    if not dense(x_TBD):
        x_TBD = x_TBD.contiguous()
    unit = of_layer(tuple(x_TBD.shape), x_TBD.stride()[:2], units, len(weights) // 2)
    shape = (*x_TBD.shape[:2], units * len(unit.sweeps))
    if learns(x_TBD, weights):
        return _Fused.apply(name, unit, shape, x_TBD, *weights)[0]  # pyright: ignore[reportOptionalSubscript]
    return _answer(name, unit, shape, x_TBD.detach(), weights)[0]


def weights_of(layer: nn.RNNBase) -> list[Tensor]:
    """Four per direction, in torch's order."""
    return layer._flat_weights  # pyright: ignore[reportReturnType]


def learns(x: Tensor, weights: list[Tensor]) -> bool:
    """Whether gradients will be asked for."""
    return torch.is_grad_enabled() and any(t.requires_grad for t in (x, *weights))


def _answer(
    name: str, unit: Unit, shape: tuple[int, ...], x: Tensor, weights: list[Tensor]
) -> tuple[Tensor, Tensor]:
    """Hidden states, and the memory of two steps."""
    h, packed = x.new_empty(shape), packing.gathered(packing.flat(weights), ahead_order(name, unit.sizes))
    return h, ahead(name, x, h, packed, unit, torch.get_num_threads(), keep=False)[1]


def dense(x_TBD: Tensor) -> bool:
    """Whether numbers of a step lie side by side, and steps and sequences without gaps, in either order."""
    if x_TBD.is_contiguous():
        return True
    (steps, _, inputs), strides = x_TBD.shape, x_TBD.stride()
    return strides == (inputs, steps * inputs, 1)


def _last_memory(name: str, unit: Unit, memory: Tensor, *, keep: bool) -> Tensor:
    if not len(memory):
        return memory
    places = kept_places(name, unit, keep=keep, threads=1)
    s = unit.sweeps[0]
    size, last = unit.groups * s.units, (s.steps - 1) if keep else (s.steps - 1) & 1
    parts = [memory[place + last * size : place + (last + 1) * size] for place in places.memory]
    return torch.stack(parts).view(len(parts), unit.groups, s.units)


@final
class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, name: str, unit: Unit, shape: tuple[int, ...], x: Tensor, *weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        flat_N, h, threads = packing.flat(weights), x.new_empty(shape), torch.get_num_threads()
        packed = packing.gathered(flat_N, ahead_order(name, unit.sizes))
        kept = ahead(name, x, h, packed, unit, threads, keep=True)
        ctx.save_for_backward(x, h, flat_N, *weights, *kept)
        ctx.name, ctx.unit, ctx.threads = name, unit, threads
        ctx.set_materialize_grads(False)
        memory = _last_memory(name, unit, kept[1], keep=True) if x.ndim == 3 else h.new_empty(0)
        return h, memory

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, h, flat_N, *weights, slots, memory = ctx.saved_tensors
        d_h = torch.zeros_like(h) if grads[0] is None else grads[0].contiguous()
        d_x = torch.empty_strided(x.shape, x.stride()) if ctx.needs_input_grad[3] else None
        gradients = back(
            ctx.name, x, h, d_h, d_x, flat_N, [slots, memory], grads[1], ctx.unit, ctx.threads,
            of_weights=any(ctx.needs_input_grad[4:]),
        )  # fmt: skip
        return None, None, None, d_x, *in_shape(gradients, weights)


def in_shape(gradients: Tensor | None, weights: list[Tensor]) -> list[Tensor | None]:
    """Gradients of all weights one after another, each in its shape."""
    if gradients is None:
        return [None] * len(weights)
    parts = gradients.split([w.numel() for w in weights])
    return [part.view(w.shape) for part, w in zip(parts, weights, strict=True)]

"""The fused layers as autograd sees them."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from linewise.kernels.fused.ahead import Kept, ahead
from linewise.kernels.fused.back import back
from linewise.kernels.fused.packing import by_direction, pack, packed_before

REMEMBER = 32
"""Up to so many sequences at once, packing the weights takes a good part of the time, and is remembered."""


def fused(name: str, layer: nn.Module, x_TBD: Tensor, weights: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Hidden states `h_TBU` of one layer from zero states, and the last memory of each direction, `RBU`.

    Args:
        name: `rnn`, `gru` or `lstm`.
        layer: whose weights they are.
        weights: four per direction, in torch's order.
    """
    if torch.is_grad_enabled() and any(t.requires_grad for t in (x_TBD, *weights)):
        return _Fused.apply(name, x_TBD, *weights)  # pyright: ignore[reportReturnType]
    x_TBD = x_TBD.detach().contiguous()
    directions = by_direction(weights)
    if x_TBD.shape[1] <= REMEMBER:
        packed = packed_before(layer, name, directions)
    else:
        packed = [pack(name, w) for w in directions]
    h_TBU, kept = ahead(name, x_TBD, packed, directions[0].units, keep=False)
    return h_TBU, _last_memory(kept, h_TBU, len(x_TBD) - 1 & 1)


def _last_memory(kept: list[Kept], h_TBU: Tensor, last: int) -> Tensor:
    units = h_TBU.shape[2] // len(kept)
    if not len(kept[0].memory_TBU):
        return h_TBU.new_empty(0)
    return torch.stack([k.memory_TBU[last, :, :units] for k in kept])


@final
class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, name: str, x_TBD: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        x_TBD = x_TBD.contiguous()
        directions = by_direction(weights)
        h_TBU, kept = ahead(name, x_TBD, [pack(name, w) for w in directions], directions[0].units, keep=True)
        ctx.save_for_backward(x_TBD, h_TBU, *weights, *(t for k in kept for t in k))
        ctx.name = name
        ctx.set_materialize_grads(False)
        return h_TBU, _last_memory(kept, h_TBU, len(x_TBD) - 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x_TBD, h_TBU, *rest = ctx.saved_tensors
        num_weights = 4 * len(rest) // 6
        directions = by_direction(rest[:num_weights])
        kept = [Kept(*rest[i : i + 2]) for i in range(num_weights, len(rest), 2)]
        d_h_TBU = torch.zeros_like(h_TBU) if grads[0] is None else grads[0].contiguous()
        d_x_TBD, d_weights = back(
            ctx.name,
            x_TBD,
            h_TBU,
            directions,
            kept,
            d_h_TBU,
            grads[1],
            of_input=ctx.needs_input_grad[1],
            of_weights=any(ctx.needs_input_grad[2:]),
        )
        return None, d_x_TBD, *d_weights

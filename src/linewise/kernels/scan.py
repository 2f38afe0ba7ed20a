"""Linear recurrences over time: h_t = a_t·h_{t-1} + b_t, without a graph node for every step.

The loop over time is in Python; each turn works on one step of the whole batch, which stays in the processor's
cache, and the backward pass is a second such loop written by hand. Tensors are time first (`TBU`), so that a
step lies together in memory. Readable forms are in the cells' `reference`; both must agree.
"""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def linear_scan(a: Tensor, b_TBU: Tensor) -> Tensor:
    """h_t = a_t·h_{t-1} + b_t from h = 0, real or complex.

    Args:
        a: `a_U` where the decay is the same at every step, or `a_TBU`.
        b_TBU: what each step adds.

    Returns:
        All states `h_TBU`.

    >>> linear_scan(torch.tensor([0.5]), torch.ones(3, 1, 1)).flatten().tolist()
    [1.0, 1.5, 1.75]
    """
    return _LinearScan.apply(a, b_TBU)  # pyright: ignore[reportReturnType]


@final
class _LinearScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b_TBU: Tensor) -> Tensor:
        h_TBU = torch.empty_like(b_TBU, memory_format=torch.contiguous_format)
        ctx.save_for_backward(a, h_TBU)
        if b_TBU.is_meta:
            return h_TBU
        a_T, h_T, b_T = _each_step(a, len(b_TBU)), h_TBU.unbind(0), b_TBU.unbind(0)
        h_T[0].copy_(b_T[0])
        for t in range(1, len(b_T)):
            torch.addcmul(b_T[t], a_T[t], h_T[t - 1], out=h_T[t])
        return h_TBU

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        a, h_TBU = ctx.saved_tensors
        grad_TBU = grads[0].clone(memory_format=torch.contiguous_format)
        if not grad_TBU.is_meta:
            back = a.conj().resolve_conj()
            a_T, grad_T = _each_step(back, len(grad_TBU)), grad_TBU.unbind(0)
            for t in range(len(grad_T) - 2, -1, -1):
                torch.addcmul(grad_T[t], a_T[t + 1], grad_T[t + 1], out=grad_T[t])
        grad_a = torch.zeros_like(h_TBU) if a.ndim == 3 else torch.zeros_like(a)
        if a.ndim == 3:
            torch.mul(grad_TBU[1:], h_TBU[:-1].conj(), out=grad_a[1:])
        elif len(h_TBU) > 1:
            grad_a = (grad_TBU[1:] * h_TBU[:-1].conj()).sum(dim=(0, 1))
        return grad_a, grad_TBU


def _each_step(a: Tensor, num_steps: int) -> tuple[Tensor, ...]:
    return a.unbind(0) if a.ndim == 3 else (a,) * num_steps

"""nn.Linear through the faster of the two libraries that torch brings.

torch computes float32 products by MKL, which reaches half of what oneDNN does on a processor of another maker
(measured on AMD's Zen 5 alone, benchmarks/LOG.md). On Intel's torch's own way stays.
"""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from linewise.kernels.plain import is_plain

SMALL = 2_000_000
"""Multiply-accumulates up to which a call costs more than it saves."""


@cache
def pays() -> bool:
    """Whether this is such a processor, and torch has the operation."""
    if platform.machine().lower() not in ("x86_64", "amd64") or not torch.backends.mkldnn.is_available():
        return False
    try:
        known = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        known = platform.processor()
    if "GenuineIntel" in known or "avx512f" not in known:
        return False
    return hasattr(torch.ops.mkldnn, "_linear_pointwise")


def linear(x: Tensor, weight_ED: Tensor, bias_E: Tensor | None) -> Tensor:
    """`F.linear`, by oneDNN where that pays: x·Wᵀ + b of the last dimension."""
    if not _fits(x, weight_ED, bias_E):
        return F.linear(x, weight_ED, bias_E)
    return _Linear.apply(x, weight_ED, bias_E)  # pyright: ignore[reportReturnType]


def _fits(x: Tensor, weight_ED: Tensor, bias_E: Tensor | None) -> bool:
    return (
        pays()
        and is_plain(x)
        and x.dtype == weight_ED.dtype
        and x.device == weight_ED.device
        and x.numel() * len(weight_ED) > SMALL
        and x.shape[-1] == weight_ED.shape[1]
    )


def _product(a_NK: Tensor, b_MK: Tensor, bias_M: Tensor | None = None) -> Tensor:
    """a·bᵀ + bias."""
    return torch.ops.mkldnn._linear_pointwise(a_NK, b_MK, bias_M, "none", [], "")


@final
class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight_ED: Tensor, bias_E: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight_ED)
        rows = x.reshape(-1, x.shape[-1])
        return _product(rows, weight_ED, bias_E).view(*x.shape[:-1], len(weight_ED))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, weight_ED = ctx.saved_tensors
        grad_NE = grads[0].reshape(-1, len(weight_ED))
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        d_x = _product(grad_NE, weight_ED.T).view_as(x) if needs_x else None
        d_weight = _product(grad_NE.T, x.reshape(-1, x.shape[-1]).T) if needs_weight else None
        return d_x, d_weight, grad_NE.sum(0) if needs_bias else None


@final
class Linear(nn.Linear):
    """`nn.Linear` with the same weights."""

    def forward(self, input: Tensor) -> Tensor:
        return linear(input, self.weight, self.bias)

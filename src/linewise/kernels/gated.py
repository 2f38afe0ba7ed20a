"""h_t = h_{t-1} + z_t·(candidate_t - h_{t-1}) with gates that look at the input only, projection included.

One loop over time forward and one back, both written by hand: a step of the whole batch is projected, gated and
added while it lies in the processor's cache, and nothing but the states is kept. Twice as fast as projecting all
steps first (benchmarks/LOG.md).
"""

from __future__ import annotations

from typing import Any, Protocol, final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class Gate(Protocol):
    """How z comes from the projected input of a step. `BG` is its gates, the candidate left out.

    Attributes:
        num_gates: gates beside the candidate.
    """

    num_gates: int

    def weigh(self, gates_BG: Tensor) -> tuple[Tensor, Tensor]:
        """z from 0 to 1, `BU`, and the sigmoids of the gates, `BG`, which `back` is given again."""
        ...

    def back(self, open_BG: Tensor, d_logit_BU: Tensor, out_BG: Tensor) -> None:
        """The gradient of the gates from that of z's logit, written to `out_BG`."""
        ...


def gated_scan(x_TBD: Tensor, weight_GD: Tensor, bias_G: Tensor, gate: Gate) -> Tensor:
    """States `h_TBU` from h = 0.

    Args:
        x_TBD: inputs.
        weight_GD: rows of the gates, then U rows of the candidate.
        bias_G: the same order.
        gate: how many gates there are and what they do.
    """
    return _GatedScan.apply(x_TBD, weight_GD, bias_G, gate)  # pyright: ignore[reportReturnType]


@final
class _GatedScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_TBD: Tensor, weight_GD: Tensor, bias_G: Tensor, gate: Gate) -> Tensor:
        num_hidden = _num_hidden(weight_GD, gate)
        h_TBU = x_TBD.new_empty(*x_TBD.shape[:2], num_hidden)
        ctx.save_for_backward(x_TBD, weight_GD, bias_G, h_TBU)
        ctx.gate = gate
        if x_TBD.is_meta:  # shapes, and one product as large as that of all steps
            torch.addmm(bias_G, x_TBD.flatten(0, 1), weight_GD.T)
            return h_TBU
        last_BU = torch.zeros_like(h_TBU[0])
        both_BG = x_TBD.new_empty(x_TBD.shape[1], len(weight_GD))
        gates_BG, candidate_BU = both_BG[:, :-num_hidden], both_BG[:, -num_hidden:]
        weight_DG = weight_GD.T
        for x_BD, h_BU in zip(x_TBD.unbind(0), h_TBU.unbind(0), strict=True):
            torch.addmm(bias_G, x_BD, weight_DG, out=both_BG)
            torch.lerp(last_BU, candidate_BU, gate.weigh(gates_BG)[0], out=h_BU)
            last_BU = h_BU
        return h_TBU

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x_TBD, weight_GD, bias_G, h_TBU = ctx.saved_tensors
        d_x_TBD = torch.empty_like(x_TBD) if ctx.needs_input_grad[0] else None
        d_weight_GD, d_bias_G = torch.zeros_like(weight_GD), torch.zeros_like(bias_G)
        if x_TBD.is_meta:
            return d_x_TBD, d_weight_GD, d_bias_G, None
        num_hidden, weight_DG = h_TBU.shape[2], weight_GD.T
        both_BG = x_TBD.new_empty(x_TBD.shape[1], len(weight_GD))
        d_both_BG, summed_BG = torch.empty_like(both_BG), torch.zeros_like(both_BG)
        gates_BG, candidate_BU = both_BG[:, :-num_hidden], both_BG[:, -num_hidden:]
        d_gates_BG, d_candidate_BU = d_both_BG[:, :-num_hidden], d_both_BG[:, -num_hidden:]
        first_BU = torch.zeros_like(h_TBU[0])
        flow_BU, work_BU = torch.zeros_like(first_BU), torch.empty_like(first_BU)
        x_T, h_T, grad_T = x_TBD.unbind(0), h_TBU.unbind(0), grads[0].unbind(0)
        for t in range(len(x_T) - 1, -1, -1):
            torch.addmm(bias_G, x_T[t], weight_DG, out=both_BG)
            z_BU, open_BG = ctx.gate.weigh(gates_BG)
            flow_BU += grad_T[t]
            torch.sub(candidate_BU, h_T[t - 1] if t else first_BU, out=work_BU)
            work_BU *= flow_BU
            torch.ops.aten.sigmoid_backward(work_BU, z_BU, grad_input=work_BU)
            ctx.gate.back(open_BG, work_BU, d_gates_BG)
            torch.mul(flow_BU, z_BU, out=d_candidate_BU)
            flow_BU -= d_candidate_BU
            d_weight_GD.addmm_(d_both_BG.T, x_T[t])
            summed_BG += d_both_BG
            if d_x_TBD is not None:
                torch.mm(d_both_BG, weight_GD, out=d_x_TBD[t])
        torch.sum(summed_BG, 0, out=d_bias_G)
        return d_x_TBD, d_weight_GD, d_bias_G, None


def _num_hidden(weight_GD: Tensor, gate: Gate) -> int:
    """U: as many candidates as z has logits."""
    rows = len(weight_GD)
    return rows // (1 + gate.num_gates)

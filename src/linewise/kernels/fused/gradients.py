"""The fused layers as autograd sees them."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from linewise.kernels.fused import passes
from linewise.kernels.fused.cells import CELL_CODES, CellCode
from linewise.kernels.fused.passes import Kept, Weights


def fused(name: str, x_TBD: Tensor, weights: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Hidden states `h_TBU` of one layer from zero states, and the last memory of each direction, `RBU`.

    Args:
        name: `rnn`, `gru` or `lstm`.
        weights: four per direction, in torch's order.
    """
    if torch.is_grad_enabled() and any(t.requires_grad for t in (x_TBD, *weights)):
        return _Fused.apply(name, x_TBD, *weights)  # pyright: ignore[reportReturnType]
    x_TBD = x_TBD.detach().contiguous()
    h_TBU, kept = passes.ahead(name, x_TBD, _by_direction(weights), keep=False)
    return h_TBU, _last_memory(kept, h_TBU, len(x_TBD) - 1 & 1)


def _by_direction(weights: Any) -> list[Weights]:
    return [Weights(*(w.detach() for w in weights[i : i + 4])) for i in range(0, len(weights), 4)]


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
        h_TBU, kept = passes.ahead(name, x_TBD, _by_direction(weights), keep=True)
        ctx.save_for_backward(x_TBD, h_TBU, *weights, *(t for k in kept for t in k))
        ctx.name = name
        ctx.set_materialize_grads(False)
        return h_TBU, _last_memory(kept, h_TBU, len(x_TBD) - 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        cell = CELL_CODES[ctx.name]
        x_TBD, h_TBU, *rest = ctx.saved_tensors
        num_weights = 4 * len(rest) // 6
        directions = _by_direction(rest[:num_weights])
        kept = [Kept(*rest[i : i + 2]) for i in range(num_weights, len(rest), 2)]
        d_h_TBU = torch.zeros_like(h_TBU) if grads[0] is None else grads[0].contiguous()
        d_slots = passes.back(ctx.name, d_h_TBU, h_TBU, directions, kept, grads[1])
        d_x_TBD = None
        if ctx.needs_input_grad[1]:
            d_x_TBD = _of_input(cell, d_slots, directions, x_TBD)
        d_weights: list[Tensor | None] = []
        units = directions[0].state_GU.shape[1]
        for i, d_slots_TBSU in enumerate(d_slots):
            d_weights += _of_weights(cell, d_slots_TBSU, x_TBD, h_TBU[:, :, i * units : (i + 1) * units], i == 1)
        return None, d_x_TBD, *d_weights


def _columns(d_slots_TBSU: Tensor, slots: tuple[int, ...]) -> Tensor:
    """Gradients of some neighbouring slots, steps and batch in one dimension."""
    return d_slots_TBSU[:, :, min(slots) : max(slots) + 1].flatten(2).flatten(0, 1)


def _of_input(cell: CellCode, d_slots: list[Tensor], directions: list[Weights], x_TBD: Tensor) -> Tensor:
    d_x_ND = torch.empty_like(x_TBD).flatten(0, 1)
    for i, (d_slots_TBSU, weights) in enumerate(zip(d_slots, directions, strict=True)):
        padded = d_slots_TBSU.shape[3]
        weight = weights.input_GD.view(cell.gates, -1, x_TBD.shape[2])
        if weight.shape[1] < padded or cell.input_slots != tuple(sorted(cell.input_slots)):
            arranged = weight.new_zeros(cell.gates, padded, weight.shape[2])
            arranged[list(cell.input_slots), : weight.shape[1]] = weight
            weight = arranged
        columns = _columns(d_slots_TBSU, cell.input_slots)
        torch.addmm(d_x_ND, columns, weight.flatten(0, 1), beta=int(i > 0), out=d_x_ND)
    return d_x_ND.view_as(x_TBD)


def _of_weights(cell: CellCode, d_slots_TBSU: Tensor, x_TBD: Tensor, h_TBU: Tensor, reverse: bool) -> list[Tensor]:
    units, padded = h_TBU.shape[2], d_slots_TBSU.shape[3]

    def by_gate(found: Tensor, slots: tuple[int, ...]) -> Tensor:
        order = [s - min(slots) for s in slots]
        found = found.view(cell.gates, padded, -1)[:, :units]
        return (found[order] if order != sorted(order) else found).flatten(0, 1)

    of_state, of_input = _columns(d_slots_TBSU, cell.state_slots), _columns(d_slots_TBSU, cell.input_slots)
    later, before = (d_slots_TBSU[:-1], h_TBU[1:]) if reverse else (d_slots_TBSU[1:], h_TBU[:-1])
    d_state = by_gate(_columns(later, cell.state_slots).T @ before.flatten(0, 1), cell.state_slots)
    d_input = by_gate(of_input.T @ x_TBD.flatten(0, 1), cell.input_slots)
    d_bias = by_gate(of_input.sum(0)[:, None], cell.input_slots).flatten()
    same = cell.input_slots == cell.state_slots
    d_state_bias = d_bias if same else by_gate(of_state.sum(0)[:, None], cell.state_slots).flatten()
    return [d_input, d_state, d_bias, d_state_bias.clone() if same else d_state_bias]

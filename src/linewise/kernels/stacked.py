"""One recurrent layer of many networks at once: S of one shape, each with its own weights and sequences.

The input products of all steps and networks are one batched product, and so are each step's recurrent products and
the gradients of the weights. The formulas are those of `reference`; the backward pass is written out, because
autograd would add up S recurrent weight gradients once per step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from linewise.kernels.fused import available
from linewise.kernels.fused.gradients import fused

CELLS = ("rnn", "lstm", "gru")


@dataclass
class Back:
    """What a step of the backward pass hands on.

    Attributes:
        gates_SBG: gradient of the recurrent products, bias included.
        inputs_SBG: gradient of the input products; the same tensor where the cell adds the two.
        hidden_SBU: gradient of the hidden state before, without the part through the product.
        memory_SBU: gradient of the memory before.
    """

    gates_SBG: Tensor
    inputs_SBG: Tensor
    hidden_SBU: Tensor | None
    memory_SBU: Tensor | None = None


class StackedCell(Protocol):
    """One step of S networks, ahead and back; G = gates·U."""

    def ahead(
        self, in_SBG: Tensor, rec_SBG: Tensor, hidden_SBU: Tensor, memory_SBU: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """`hidden_SBU`, `memory_SBU` after the step, and what `back` needs of it."""
        ...

    def back(self, kept: tuple[Tensor, ...], d_hidden_SBU: Tensor, d_memory_SBU: Tensor | None) -> Back: ...


class _RNN:
    def ahead(
        self, in_SBG: Tensor, rec_SBG: Tensor, hidden_SBU: Tensor, memory_SBU: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        hidden_SBU = torch.tanh(in_SBG + rec_SBG)
        return hidden_SBU, memory_SBU, (hidden_SBU,)

    def back(self, kept: tuple[Tensor, ...], d_hidden_SBU: Tensor, d_memory_SBU: Tensor | None) -> Back:
        d_SBG = torch.ops.aten.tanh_backward(d_hidden_SBU, kept[0])
        return Back(d_SBG, d_SBG, None)


class _LSTM:
    def ahead(
        self, in_SBG: Tensor, rec_SBG: Tensor, hidden_SBU: Tensor, memory_SBU: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        input_, forget, candidate, output = (in_SBG + rec_SBG).chunk(4, dim=2)
        input_, forget, output = torch.sigmoid(input_), torch.sigmoid(forget), torch.sigmoid(output)
        candidate = torch.tanh(candidate)
        after_SBU = torch.addcmul(input_ * candidate, forget, memory_SBU)
        shown_SBU = torch.tanh(after_SBU)
        return output * shown_SBU, after_SBU, (input_, forget, candidate, output, memory_SBU, shown_SBU)

    def back(self, kept: tuple[Tensor, ...], d_hidden_SBU: Tensor, d_memory_SBU: Tensor | None) -> Back:
        input_, forget, candidate, output, before_SBU, shown_SBU = kept
        sigmoid, tanh = torch.ops.aten.sigmoid_backward, torch.ops.aten.tanh_backward
        d_SBU = tanh(d_hidden_SBU * output, shown_SBU)
        if d_memory_SBU is not None:
            d_SBU = d_SBU + d_memory_SBU
        d_SBG = torch.cat(
            [
                sigmoid(d_SBU * candidate, input_),
                sigmoid(d_SBU * before_SBU, forget),
                tanh(d_SBU * input_, candidate),
                sigmoid(d_hidden_SBU * shown_SBU, output),
            ],
            dim=2,
        )
        return Back(d_SBG, d_SBG, None, d_SBU * forget)


class _GRU:
    def ahead(
        self, in_SBG: Tensor, rec_SBG: Tensor, hidden_SBU: Tensor, memory_SBU: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        units = hidden_SBU.shape[2]
        both = torch.sigmoid(in_SBG[..., : 2 * units] + rec_SBG[..., : 2 * units])
        reset, update = both.chunk(2, dim=2)
        rec_candidate = rec_SBG[..., 2 * units :]
        candidate = torch.tanh(torch.addcmul(in_SBG[..., 2 * units :], reset, rec_candidate))
        after_SBU = torch.addcmul(candidate, update, hidden_SBU - candidate)
        return after_SBU, memory_SBU, (reset, update, candidate, rec_candidate, hidden_SBU)

    def back(self, kept: tuple[Tensor, ...], d_hidden_SBU: Tensor, d_memory_SBU: Tensor | None) -> Back:
        reset, update, candidate, rec_candidate, before_SBU = kept
        sigmoid, tanh = torch.ops.aten.sigmoid_backward, torch.ops.aten.tanh_backward
        d_candidate = tanh(d_hidden_SBU * (1 - update), candidate)
        d_update = sigmoid(d_hidden_SBU * (before_SBU - candidate), update)
        d_reset = sigmoid(d_candidate * rec_candidate, reset)
        d_rec = torch.cat([d_reset, d_update, d_candidate * reset], dim=2)
        return Back(d_rec, torch.cat([d_reset, d_update, d_candidate], dim=2), d_hidden_SBU * update)


_CELLS: dict[str, StackedCell] = {"rnn": _RNN(), "lstm": _LSTM(), "gru": _GRU()}


def stacked_layer(cell: str, x_STBD: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """One layer of S networks, from zero states: as batched products, or, float32 on a processor, network by
    network in this package's kernels, which are twice as fast there.

    Args:
        cell: `rnn` (tanh), `lstm` or `gru`.
        weights: four per direction with a leading axis S, in torch's order: input and recurrent weights, and their
            biases; one direction or two.

    Returns:
        Hidden states `h_STBF`, those of the two directions side by side.
    """
    if _fused_fits(x_STBD, weights):
        each = zip(x_STBD.unbind(0), *(w.unbind(0) for w in weights), strict=True)
        return torch.stack([fused(cell, x_TBD, list(own))[0] for x_TBD, *own in each])
    return batched_layer(cell, x_STBD, weights)


def batched_layer(cell: str, x_STBD: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """The same by batched products alone, for any type and device."""
    both = [_Layer.apply(cell, bool(i), x_STBD, *weights[i : i + 4]) for i in range(0, len(weights), 4)]
    return both[0] if len(both) == 1 else torch.cat(both, dim=3)  # pyright: ignore[reportReturnType, reportArgumentType, reportCallIssue]


def _fused_fits(x_STBD: Tensor, weights: Sequence[Tensor]) -> bool:
    on_processor = x_STBD.device.type == weights[0].device.type == "cpu"
    return (
        on_processor and x_STBD.dtype == weights[0].dtype == torch.float32 and x_STBD.numel() > 0 and available()
    )


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, cell: str, reverse: bool, x_STBD: Tensor, *weights: Tensor) -> Tensor:
        weight_ih_SGD, weight_hh_SGU, bias_ih_SG, bias_hh_SG = weights
        seeds, steps, batch, _ = x_STBD.shape
        rows_SND = x_STBD.reshape(seeds, steps * batch, -1)
        in_SNG = torch.baddbmm(bias_ih_SG[:, None], rows_SND, weight_ih_SGD.mT)
        in_STBG = in_SNG.view(seeds, steps, batch, -1)
        across_SUG, bias_S1G = weight_hh_SGU.mT, bias_hh_SG[:, None]
        hidden_SBU = x_STBD.new_zeros(seeds, batch, weight_hh_SGU.shape[2])
        memory_SBU, ahead = torch.zeros_like(hidden_SBU), _CELLS[cell].ahead
        h_STBU = x_STBD.new_empty(seeds, steps, batch, hidden_SBU.shape[2])
        kept: list[tuple[Tensor, ...]] = []
        for t in _times(steps, reverse):
            rec_SBG = torch.baddbmm(bias_S1G, hidden_SBU, across_SUG)
            hidden_SBU, memory_SBU, of_step = ahead(in_STBG[:, t], rec_SBG, hidden_SBU, memory_SBU)
            h_STBU[:, t] = hidden_SBU
            kept.append(of_step)
        ctx.save_for_backward(rows_SND, h_STBU, weight_ih_SGD, weight_hh_SGU, *(k for one in kept for k in one))
        ctx.cell, ctx.reverse = cell, reverse
        return h_STBU

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        rows_SND, h_STBU, weight_ih_SGD, weight_hh_SGU, *flat = ctx.saved_tensors
        seeds, steps, batch, units = h_STBU.shape
        each, back = len(flat) // steps, _CELLS[ctx.cell].back
        times = list(_times(steps, ctx.reverse))
        shape = (seeds, steps, batch, weight_hh_SGU.shape[1])
        d_rec_STBG, d_in_STBG = h_STBU.new_empty(shape), h_STBU.new_empty(shape)
        d_hidden_SBU: Tensor | None = None
        d_memory_SBU: Tensor | None = None
        for step, t in reversed(list(enumerate(times))):
            told_SBU = grads[0][:, t]
            d_h_SBU = told_SBU if d_hidden_SBU is None else told_SBU + d_hidden_SBU
            found = back(tuple(flat[step * each : (step + 1) * each]), d_h_SBU, d_memory_SBU)
            d_rec_STBG[:, t], d_in_STBG[:, t] = found.gates_SBG, found.inputs_SBG
            if step:
                through_SBU = torch.bmm(found.gates_SBG, weight_hh_SGU)
                d_hidden_SBU = through_SBU if found.hidden_SBU is None else through_SBU + found.hidden_SBU
                d_memory_SBU = found.memory_SBU
        d_in_SNG, d_rec_SNG = (d.view(seeds, steps * batch, -1) for d in (d_in_STBG, d_rec_STBG))
        d_x = torch.bmm(d_in_SNG, weight_ih_SGD).view(seeds, steps, batch, -1) if ctx.needs_input_grad[2] else None
        later, before = (slice(None, -1), slice(1, None)) if ctx.reverse else (slice(1, None), slice(None, -1))
        d_later_SGM = d_rec_STBG[:, later].reshape(seeds, (steps - 1) * batch, shape[3]).mT
        d_weight_hh = torch.bmm(d_later_SGM, h_STBU[:, before].reshape(seeds, (steps - 1) * batch, units))
        d_weight_ih = torch.bmm(d_in_SNG.mT, rows_SND)
        return None, None, d_x, d_weight_ih, d_weight_hh, d_in_SNG.sum(dim=1), d_rec_SNG.sum(dim=1)


def _times(steps: int, reverse: bool) -> range:
    return range(steps - 1, -1, -1) if reverse else range(steps)

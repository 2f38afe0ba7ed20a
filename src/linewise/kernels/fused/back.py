"""The backward pass of one layer.

Each thread takes some rows of the batch and goes back through a few steps at a time: gradients of the gates, then
of the input, then of the weights, while they lie in the processor's cache. They are never all in memory.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from linewise.kernels.fused.ahead import Kept
from linewise.kernels.fused.calls import FLOAT, Call, OverTime, place
from linewise.kernels.fused.packing import Weights, by_column, padded, panels, spread
from linewise.kernels.fused.threads import shares
from linewise.kernels.machine.cells import CELL_CODES

CACHE = 384 * 1024
"""Bytes of gradients at a time; the weights and their gradients need as much again."""


def back(
    name: str,
    x_TBD: Tensor,
    h_TBU: Tensor,
    directions: list[Weights],
    kept: list[Kept],
    d_h_TBU: Tensor,
    d_memory_RBU: Tensor | None,
    *,
    of_input: bool,
    of_weights: bool,
) -> tuple[Tensor | None, list[Tensor | None]]:
    """Gradient of the input, and those of the weights in torch's order; None where they are not wanted.

    Args:
        x_TBD, d_h_TBU: contiguous.
        d_memory_RBU: gradient of the last memory of each direction.
    """
    cell, units = CELL_CODES[name], directions[0].units
    d_x_TBD = torch.empty_like(x_TBD) if of_input else None
    rows, ones = shares(x_TBD.shape[1]), x_TBD.new_ones(1)
    lines = x_TBD.shape[2] + units + 1
    found = x_TBD.new_zeros(len(directions), len(rows), lines, padded(cell.slots * units))
    for i, weights in enumerate(directions):
        packed = by_column(weights.state_GU), by_column(weights.input_GD) if of_input else ones
        carry_2BU = h_TBU.new_zeros(2, x_TBD.shape[1], units)
        if d_memory_RBU is not None:
            carry_2BU[0] = d_memory_RBU[i]
        found_SKG = found[i] if of_weights else None
        tensors = _Tensors(x_TBD, h_TBU, d_h_TBU, d_x_TBD, carry_2BU, found_SKG, *packed, ones)
        _Walk(name, units, i, rows, tensors, kept[i]).go()
    if not of_weights:
        return d_x_TBD, [None] * (4 * len(directions))
    summed = found[:, 0] if len(rows) == 1 else found.sum(1)
    by_slot_RSUK = summed[..., : cell.slots * units].transpose(1, 2).unflatten(1, (cell.slots, units))
    gradients: list[Tensor | None] = []
    for by_slot_SUK in by_slot_RSUK:
        of_input_side, of_state_side = (
            _in_order(by_slot_SUK, slots) for slots in (cell.input_slots, cell.state_slots)
        )
        inputs = x_TBD.shape[2]
        gradients += [of_input_side[:, :inputs].contiguous(), of_state_side[:, inputs:-1].contiguous()]
        gradients += [of_input_side[:, -1].contiguous(), of_state_side[:, -1].clone()]
    return d_x_TBD, gradients


def _in_order(by_slot_SUK: Tensor, slots: tuple[int, ...]) -> Tensor:
    """Gates in torch's order, `GK`."""
    if slots == tuple(range(len(by_slot_SUK))):
        return by_slot_SUK.flatten(0, 1)
    return torch.cat([by_slot_SUK[slot] for slot in slots])


class _Tensors(NamedTuple):
    """Of one direction, or of all where they are shared."""

    x_TBD: Tensor
    h_TBU: Tensor
    d_h_TBU: Tensor
    d_x_TBD: Tensor | None
    carry_2BU: Tensor
    found_SKG: Tensor | None
    weight_h: Tensor
    weight_x: Tensor
    ones: Tensor


class _Walk:
    """The way back through one direction."""

    def __init__(
        self, name: str, units: int, direction: int, rows: list[tuple[int, int]], tensors: _Tensors, kept: Kept
    ) -> None:
        x_TBD, h_TBU, d_h_TBU, d_x_TBD, carry_2BU, found_SKG, weight_h, weight_x, ones = tensors
        cell, (self.steps, batch, inputs), count = CELL_CODES[name], x_TBD.shape, len(rows)
        self.reverse, firsts = direction == 1, [first for first, _ in rows]
        sizes = [end - first for first, end in rows]
        row = spread(cell.slots * units)
        self.step = batch * row
        self.at_a_time = max(1, min(self.steps, CACHE * count // (FLOAT * self.step)))
        gap = row > cell.slots * units  # lanes there are worked on, and not used
        self.buffers = (x_TBD.new_zeros if gap else x_TBD.new_empty)(2, self.at_a_time, self.step)
        self.offsets = [FLOAT * first * row for first in firsts]
        self.zeros = x_TBD.new_zeros(padded(units))
        self.alive = (tensors, kept)
        own, here = units * direction, {"reverse": self.reverse, "offset": units * direction, "firsts": firsts}
        self.x = OverTime("x", x_TBD, firsts=firsts)
        self.h_in_time = OverTime("x", h_TBU, offset=own, firsts=firsts)
        self.over = [
            OverTime("h", h_TBU, **here),
            OverTime("d_h", d_h_TBU, **here),
            OverTime("memory", kept.memory_TBU, firsts=firsts),
            OverTime("kept", kept.slots_TBSU, firsts=firsts),
        ]
        arguments = {k: v for over in self.over for k, v in over.arguments().items()}
        arguments |= OverTime("carry", carry_2BU, firsts=firsts).arguments()
        self.back = Call(
            name, "back", count, first_row=0, end_row=sizes, units=units, panels=panels(units),
            weight=place(weight_h), zeros=place(self.zeros), slots_row=row, **arguments,
        )  # fmt: skip
        self.d_x = OverTime("d_x", d_x_TBD, firsts=firsts) if d_x_TBD is not None else None
        if self.d_x is not None:
            self.of_inputs = Call(
                name, "of_inputs", count, rows=sizes, units=units, panels=panels(inputs), inputs=inputs,
                slots_step=self.step, slots_row=row, weight=place(weight_x), add=direction,
                **self.d_x.arguments(),
            )  # fmt: skip
        self.of_weights: tuple[Call, Call, Call] | None = None
        if found_SKG is None:
            return
        parts = [[place(share) for share in part] for part in found_SKG.split([inputs, units, 1], dim=1)]
        shared = {
            "rows": sizes, "panels": panels(cell.slots * units), "slots_step": self.step, "slots_row": row,
            "d_weight_row": found_SKG.stride(1),
        }  # fmt: skip
        over_x, over_h = self.x.arguments(), self.h_in_time.arguments()
        over_one = {"x": place(ones), "x_step": 0, "x_row": 0}
        self.of_weights = (
            Call(name, "of_weights", count, values=inputs, d_weight=parts[0], **over_x, **shared),
            Call(name, "of_weights", count, values=units, d_weight=parts[1], **over_h, **shared),
            Call(name, "of_weights", count, values=1, d_weight=parts[2], **over_one, **shared),
        )

    def go(self) -> None:
        """From the last step read to the first."""
        end, after = self.steps, self._for_each(place(self.zeros))
        for turn in range(-(-self.steps // self.at_a_time)):
            start = max(0, end - self.at_a_time)
            buffer = self.buffers[turn % 2]
            first_read = self._for_each(place(buffer, (end - start - 1) * self.step if self.reverse else 0))
            self.back(
                steps=end - start, is_end=int(end == self.steps), is_start=int(start == 0), turn=self.steps - end,
                slots=first_read, slots_step=-self.step if self.reverse else self.step, after=after,
                **{over.name: over.at(start) for over in self.over},
            )  # fmt: skip
            self._products(place(buffer), start, end)
            end, after = start, first_read

    def _for_each(self, start: int) -> list[int]:
        """Where the rows of each share begin in a step of the buffer."""
        return [start + offset for offset in self.offsets]

    def _products(self, buffer: int, start: int, end: int) -> None:
        """What the gradients of some steps give, these steps in the order of time."""
        first = self.steps - end if self.reverse else start
        slots, steps = self._for_each(buffer), end - start
        if self.d_x is not None:
            self.of_inputs(steps=steps, slots=slots, d_x=self.d_x.at(first))
        if self.of_weights is None:
            return
        of_x, of_h, of_one = self.of_weights
        of_x(steps=steps, slots=slots, x=self.x.at(first))
        of_one(steps=steps, slots=slots)
        alone = int(start == 0)  # the first step read has no state before it
        if self.reverse:
            of_h(steps=steps - alone, slots=slots, x=self.h_in_time.at(first + 1))
        else:
            later = self._for_each(buffer + FLOAT * alone * self.step)
            of_h(steps=steps - alone, slots=later, x=self.h_in_time.at(first + alone - 1))

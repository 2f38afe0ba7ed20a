"""The forward pass of one layer: packing of weights, scratch memory, directions and threads."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from linewise.kernels.fused.calls import Call, OverTime, place
from linewise.kernels.fused.packing import Packed, padded, panels
from linewise.kernels.fused.threads import shares
from linewise.kernels.machine.cells import CELL_CODES


class Kept(NamedTuple):
    """What the backward pass needs of one direction, in the order it was read.

    Attributes:
        slots_TBSU: gates; empty for the tanh-RNN.
        memory_TBU: of the LSTM; otherwise empty.
    """

    slots_TBSU: Tensor
    memory_TBU: Tensor


def ahead(
    name: str, x_TBD: Tensor, directions: list[Packed], units: int, *, keep: bool
) -> tuple[Tensor, list[Kept]]:
    """Hidden states `h_TBU` of all directions side by side.

    Args:
        x_TBD: the last dimension contiguous.
        units: of each direction.
        keep: all that the backward pass needs; otherwise of the memory the last two steps only.
    """
    cell, (steps, batch, inputs) = CELL_CODES[name], x_TBD.shape
    slots = cell.slots if cell.keeps_slots else 0
    h_TBU = x_TBD.new_empty(steps, batch, units * len(directions))
    zeros_U = x_TBD.new_zeros(padded(units))
    rows = shares(batch)
    kept: list[Kept] = []
    for i, packed in enumerate(directions):
        memory_TBU = x_TBD.new_empty((steps if keep else 2) if cell.has_memory else 0, batch, units)
        slots_TBSU = x_TBD.new_empty((steps, batch, slots, units) if keep else (1, len(rows), slots, units))
        kept.append(Kept(slots_TBSU, memory_TBU))
        call = Call(
            name, "ahead", len(rows), steps=steps, inputs=inputs, units=units, panels=panels(units),
            first_row=[first for first, _ in rows], end_row=[end for _, end in rows],
            weight_x=place(packed.input_vectors), weight_h=place(packed.state_vectors),
            bias=place(packed.starts), zeros=place(zeros_U), memory_mask=-1 if keep else 1,
            **OverTime("x", x_TBD, reverse=i == 1).arguments(),
            **OverTime("h", h_TBU, reverse=i == 1, offset=units * i).arguments(),
            **OverTime("memory", memory_TBU).arguments(), **OverTime("kept", slots_TBSU).arguments(),
        )  # fmt: skip
        if not keep:  # written over at every step and row
            own = [place(slots_TBSU, slots * units * share) for share in range(len(rows))]
            call.set(kept=own, kept_step=0, kept_row=0)
        call()
    return h_TBU, kept

"""The backward pass of a unit of sweeps.

Each thread takes some sequences, block by block, and goes back through a few steps at a time: gradients of the
gates, then of the input, then of the weights, while they lie in the processor's cache. They are never all in
memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from torch import Tensor

from linewise.kernels.fused import packing
from linewise.kernels.fused.ahead import PLANS, Kept, kept_places
from linewise.kernels.fused.packing import back_order, found_order, found_size, padded, panels, spread
from linewise.kernels.fused.plan import FLOAT, Place, Plan, Value
from linewise.kernels.fused.shares import Range, blocks
from linewise.kernels.fused.sweeps import Sweep, Unit, table
from linewise.kernels.machine.cells import CELL_CODES
from linewise.kernels.machine.compiled import Width

CACHE = 384 * 1024
"""Bytes of gradients at a time; the weights and their gradients need as much again."""
X, H, D_H, D_X, WEIGHTS, KEPT, MEMORY, CARRY, FOUND, SLOTS = range(10)
Call = tuple[str, dict[str, Value]]


def back(
    name: str,
    x: Tensor,
    h: Tensor,
    d_h: Tensor,
    d_x: Tensor | None,
    flat_N: Tensor,
    kept: list[Tensor],
    d_memory_RBU: Tensor | None,
    unit: Unit,
    threads: int,
    *,
    of_weights: bool,
) -> Tensor | None:
    """Fill the gradient of the input; that of all weights one after another, in torch's order, if it is wanted.

    Args:
        d_h: laid out as `h`.
        d_x: to be filled, laid out as `x`; None where it is not wanted.
        flat_N: all weights, as `packing.flat` gives them.
        d_memory_RBU: gradient of the last memory of each direction; of a single layer.
    """
    way = walk(name, unit, threads, d_x is not None, of_weights, packing.width())
    packed = packing.gathered(flat_N, back_order(name, unit.sizes))
    carry = x.new_zeros(way.num_carry)
    if d_memory_RBU is not None:
        for sweep, of_sweep in zip(way.carries, d_memory_RBU, strict=True):
            carry[sweep : sweep + of_sweep.numel()] = of_sweep.reshape(-1)
    found = x.new_zeros(way.num_threads, way.num_found if of_weights else 1)
    slots = (x.new_zeros if way.gap else x.new_empty)(way.num_slots)
    way.plan.run(x, h, d_h, x if d_x is None else d_x, packed, *kept, carry, found, slots)
    if not of_weights:
        return None
    return (found[0] if len(found) == 1 else found.sum(0)).index_select(0, found_order(name, unit.sizes))


@lru_cache(PLANS)
def walk(name: str, unit: Unit, threads: int, of_inputs: bool, of_weights: bool, _: Width) -> Walk:
    return Walk(name, unit, threads, of_inputs=of_inputs, of_weights=of_weights)


class Walk:
    """The way back, with the sizes of what it needs.

    Attributes:
        gap: whether rows of gates end with lanes that are worked on and not used.
        carries: where what is carried begins, of each sweep.
    """

    def __init__(self, name: str, unit: Unit, threads: int, *, of_inputs: bool, of_weights: bool) -> None:
        self._name, self._cell, self._unit = name, CELL_CODES[name], unit
        self._of_inputs, self._of_weights = of_inputs, of_weights
        self._places: Kept = kept_places(name, unit, keep=True, threads=threads)
        self._parts = back_order(name, unit.sizes).parts
        self._zeros = np.zeros(padded(max(s.units for s in unit.sweeps)), np.float32)
        self._ones, self._nowhere = (
            np.ones(1, np.float32),
            np.zeros(max(s.group for s in unit.sweeps) * unit.groups, np.int64),
        )
        sizes = [found_size(name, s.inputs, s.units) for s in unit.sweeps]
        self._founds, self.num_found = [sum(sizes[:i]) for i in range(len(sizes))], sum(sizes)
        sizes = [2 * unit.groups * s.group * s.units for s in unit.sweeps]
        self.carries, self.num_carry = [sum(sizes[:i]) for i in range(len(sizes))], sum(sizes)
        slots = self._cell.slots
        self.gap = any(spread(slots * s.units) > slots * s.units for s in unit.sweeps)
        floats = unit.floats(of_input=2, of_units=4 + slots)
        shares = blocks(unit, threads, floats)
        self.num_threads = len(shares)
        self._buffer = max(
            self._at_a_time(s, block) * self._step(s, block)
            for s in unit.sweeps
            for share in shares
            for block in share
        )
        self.num_slots = 2 * self._buffer * len(shares)
        self.plan = Plan(name, [list(self._thread(i, share)) for i, share in enumerate(shares)])

    def _step(self, s: Sweep, block: Range) -> int:
        """Float32 of the gradients of one step."""
        return (block[1] - block[0]) * s.group * spread(self._cell.slots * s.units)

    def _at_a_time(self, s: Sweep, block: Range) -> int:
        return max(1, min(s.steps, CACHE // (FLOAT * self._step(s, block))))

    def _thread(self, thread: int, share: list[Range]) -> Iterator[Call]:
        for block in share:
            for i in range(len(self._unit.sweeps)):
                yield from self._sweep(thread, block, i)

    def _sweep(self, thread: int, block: Range, i: int) -> Iterator[Call]:
        """From the last step read to the first."""
        s, cell, places = self._unit.sweeps[i], self._cell, self._places
        rows, row = self._unit.groups * s.group, spread(cell.slots * s.units)
        first_row, end_row = block[0] * s.group, block[1] * s.group
        step, at_a_time = self._step(s, block), self._at_a_time(s, block)
        buffers = Place(SLOTS, 2 * self._buffer * thread - first_row * row)
        kept_row = cell.slots * s.units if cell.keeps_slots else 0
        of_rows: dict[str, Value] = {
            "first_row": first_row, "end_row": end_row, "slots_step": step, "slots_row": row,
        }  # fmt: skip
        shared: dict[str, Value] = {
            **of_rows, "units": s.units, "panels": panels(s.units), "weight": Place(WEIGHTS, self._parts[i][0]),
            "zeros": self._zeros, "h_step": s.h.step, "h_rows": table(s.h.rows),
            "memory_step": rows * s.units, "memory_row": s.units,
            "kept_step": rows * kept_row, "kept_row": kept_row,
            "carry": Place(CARRY, self.carries[i]), "carry_step": rows * s.units, "carry_row": s.units,
        }  # fmt: skip
        end, after = s.steps, buffers
        for turn in range(-(-s.steps // at_a_time)):
            start = max(0, end - at_a_time)
            slots = buffers.after(self._buffer * (turn % 2))
            yield (
                "back",
                {
                    **shared, "steps": end - start, "is_end": int(end == s.steps), "is_start": int(start == 0),
                    "turn": s.steps - end, "after": after, "slots": slots,
                    "d_h": Place(D_H, s.h.at(start)), "h": Place(H, s.h.at(start)),
                    "memory": Place(MEMORY, places.memory[i] + start * rows * s.units),
                    "kept": Place(KEPT, places.slots[i] + start * rows * kept_row),
                },
            )  # fmt: skip
            yield from self._products(thread, i, of_rows, slots, start, end)
            end, after = start, slots

    def _products(
        self, thread: int, i: int, of_rows: dict[str, Value], slots: Place, start: int, end: int
    ) -> Iterator[Call]:
        """What the gradients of some steps give."""
        s, cell = self._unit.sweeps[i], self._cell
        steps = end - start
        if self._of_inputs:
            arguments: dict[str, Value] = {
                **of_rows, "steps": steps, "units": s.units, "panels": panels(s.inputs), "inputs": s.inputs,
                "slots": slots, "weight": Place(WEIGHTS, self._parts[i][1]), "add": int(i > 0),
                "d_x": Place(D_X, s.x.at(start)), "d_x_step": s.x.step, "d_x_rows": table(s.x.rows),
            }  # fmt: skip
            yield "of_inputs", arguments
        if not self._of_weights:
            return
        line = padded(cell.slots * s.units)
        found = Place(FOUND, thread * self.num_found + self._founds[i])
        shared: dict[str, Value] = {**of_rows, "panels": panels(cell.slots * s.units), "d_weight_row": line}
        of_x: dict[str, Value] = {
            "values": s.inputs, "x": Place(X, s.x.at(start)), "x_step": s.x.step, "x_rows": table(s.x.rows),
        }  # fmt: skip
        of_one: dict[str, Value] = {"values": 1, "x": self._ones, "x_step": 0, "x_rows": self._nowhere}
        yield "of_weights", {**shared, **of_x, "steps": steps, "slots": slots, "d_weight": found}
        yield (
            "of_weights",
            {
                **shared,
                **of_one,
                "steps": steps,
                "slots": slots,
                "d_weight": found.after((s.inputs + s.units) * line),
            },
        )
        if not cell.state_slots:
            return
        alone = int(start == 0)  # the first step read has no state before it
        of_h: dict[str, Value] = {
            "values": s.units, "x": Place(H, s.h.at(start + alone - 1)), "x_step": s.h.step,
            "x_rows": table(s.h.rows),
        }  # fmt: skip
        later = slots.after(alone * int(of_rows["slots_step"]))  # pyright: ignore[reportArgumentType]
        yield (
            "of_weights",
            {**shared, **of_h, "steps": steps - alone, "slots": later, "d_weight": found.after(s.inputs * line)},
        )

"""The forward pass of a unit of sweeps."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from torch import Tensor

from linewise.kernels.fused import packing
from linewise.kernels.fused.packing import ahead_order, padded, panels
from linewise.kernels.fused.plan import Place, Plan, Value
from linewise.kernels.fused.shares import blocks
from linewise.kernels.fused.sweeps import Unit, table
from linewise.kernels.machine.cells import CELL_CODES
from linewise.kernels.machine.compiled import Width

PLANS = 64
X, H, WEIGHTS, KEPT, MEMORY = range(5)


class Kept(NamedTuple):
    """Where in one tensor the numbers of each sweep begin.

    Attributes:
        slots: of the gates, `TBSU` for each sweep; without keeping, room for one sequence of each thread.
        memory: of the LSTM's memory, `TBU`; without keeping, of two steps.
        num_slots, num_memory: sizes of both tensors.
    """

    slots: tuple[int, ...]
    memory: tuple[int, ...]
    num_slots: int
    num_memory: int


@lru_cache(PLANS)
def kept_places(name: str, unit: Unit, *, keep: bool, threads: int) -> Kept:
    cell = CELL_CODES[name]
    slots, memory, at, at_memory = [], [], 0, 0
    for s in unit.sweeps:
        rows = unit.groups * s.group
        slots.append(at)
        memory.append(at_memory)
        if cell.has_memory:
            at_memory += (s.steps if keep else 2) * rows * s.units
        if keep and cell.keeps_slots:
            at += s.steps * rows * cell.slots * s.units
    if not keep and cell.keeps_slots:
        at = threads * cell.slots * max(s.units for s in unit.sweeps)
    return Kept(tuple(slots), tuple(memory), at, at_memory)


def ahead(
    name: str, x: Tensor, h: Tensor, packed: Tensor, unit: Unit, threads: int, *, keep: bool
) -> list[Tensor]:
    """Fill the hidden states of all sweeps; what the backward pass needs besides: gates, and the LSTM's memory.

    Args:
        h: to be filled.
        packed: weights as `packing.gathered` gives them.
        keep: all that the backward pass needs; otherwise of the memory the last two steps only.
    """
    places = kept_places(name, unit, keep=keep, threads=threads)
    kept = [x.new_empty(places.num_slots), x.new_empty(places.num_memory)]
    plan(name, unit, threads, keep, packing.width()).run(x, h, packed, *kept)
    return kept


@lru_cache(PLANS)
def plan(name: str, unit: Unit, threads: int, keep: bool, _: Width) -> Plan:
    cell = CELL_CODES[name]
    places = kept_places(name, unit, keep=keep, threads=threads)
    parts = ahead_order(name, unit.sizes).parts
    zeros = np.zeros(padded(max(s.units for s in unit.sweeps)), np.float32)
    floats = unit.floats(of_input=1, of_units=2 + cell.slots)
    calls: list[list[tuple[str, dict[str, Value]]]] = []
    for thread, of_thread in enumerate(blocks(unit, threads, floats)):
        calls.append([])
        for first, end in of_thread:
            for i, s in enumerate(unit.sweeps):
                rows, slots = unit.groups * s.group, cell.slots * s.units if cell.keeps_slots else 0
                own = Place(KEPT, places.slots[i]) if keep else Place(KEPT, thread * slots)
                weight_x, weight_h, bias = (Place(WEIGHTS, part) for part in parts[i])
                arguments: dict[str, Value] = {
                    "steps": s.steps, "first_row": first * s.group, "end_row": end * s.group,
                    "inputs": s.inputs, "units": s.units, "panels": panels(s.units),
                    "x": Place(X, s.x.start), "x_step": s.x.step, "x_rows": table(s.x.rows),
                    "weight_x": weight_x, "weight_h": weight_h, "bias": bias, "zeros": zeros,
                    "h": Place(H, s.h.start), "h_step": s.h.step, "h_rows": table(s.h.rows),
                    "memory": Place(MEMORY, places.memory[i]), "memory_step": rows * s.units,
                    "memory_row": s.units, "memory_mask": -1 if keep else 1,
                    "kept": own, "kept_step": rows * slots if keep else 0, "kept_row": slots if keep else 0,
                }  # fmt: skip
                calls[-1].append(("ahead", arguments))
    return Plan(name, calls)

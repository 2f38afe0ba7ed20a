"""The forward pass of one layer for one sequence, as one function for each cell.

With one row there is no weight that serves twice in a step, so all of them come from the cache at every step, and
that is what the time goes into. Hence: inputs are multiplied some steps at a time, so that their weights come once
for all of these; recurrent weights lie in the order in which they are read. All sums are made in the order of
`programs.ahead`, so that a sequence has the same bits alone and among others.
"""

from __future__ import annotations

from linewise.kernels.machine.cells import CellCode
from linewise.kernels.machine.code import Code
from linewise.kernels.machine.products import Arguments, groups_of, product

ONE = (
    "steps", "inputs", "units", "panels", "x", "x_step", "weight_x", "weight_h", "bias", "sums",
    "before", "is_fresh", "h", "h_step", "memory_before", "memory",
)  # fmt: skip
"""Arguments; distances in float32. Weights: panels × inputs (or units) × gates × lanes.

`before` is the hidden state before the first step; with `is_fresh` 1 it is zero, and no product is made of it.
`memory_before` is that of the LSTM before the first step, `memory` after the last. `sums`: `room()` float32."""
MOST = {4: 3, 3: 3, 1: 6}
"""Gates → vectors of units in one recurrent product: enough sums that no multiply-add waits for the one before. To
split a sum in two would be quicker by a tenth (LSTM), but round otherwise than in a batch."""


def block(cell: CellCode, registers: int) -> int:
    """Steps whose inputs are multiplied at a time."""
    return min(registers // cell.gates, 8)


def room(cell: CellCode, registers: int, padded_units: int) -> int:
    """Float32 that the sums of a block take."""
    return block(cell, registers) * cell.sums * padded_units


def one(cell: CellCode, name: str, lanes: int, registers: int) -> str:
    """The function in LLVM's language."""
    code = Code(name, lanes)
    a = Arguments(code, ONE)
    width, at_a_time = code.mul(a.panels, lanes), block(cell, registers)
    row = code.mul(width, cell.sums)
    most = MOST[cell.gates]

    with code.loop(0, a.steps, at_a_time) as first:
        count = code.least(at_a_time, code.sub(a.steps, first))

        def inputs(start: str, num_steps: int) -> None:
            here = [code.add(start, r) for r in range(num_steps)]
            read = [code.at(a.x, code.mul(code.add(first, s), a.x_step)) for s in here]
            with code.loop(0, a.panels) as panel:
                unit = code.mul(panel, lanes)
                begun = [code.load(code.at(a.bias, code.mul(width, g), unit)) for g in range(cell.sums)]
                sums = [[code.variable() for _ in range(cell.sums)] for _ in here]
                for of_step in sums:
                    for total, start_value in zip(of_step, begun, strict=True):
                        code.set(total, start_value)
                weight = code.at(a.weight_x, code.mul(code.mul(panel, a.inputs), cell.gates * lanes))
                gates = [code.at(weight, g * lanes) for g in range(cell.gates)]
                to = [[of_step[g] for g in cell.from_input] for of_step in sums]
                product(code, to, read, gates, a.inputs, cell.gates * lanes)
                for s, of_step in zip(here, sums, strict=True):
                    place = code.at(a.sums, code.mul(s, row), unit)
                    for g, total in enumerate(of_step):
                        code.store(code.get(total), code.at(place, code.mul(width, g)))

        groups_of(code, 0, count, tuple(n for n in (at_a_time, 2, 1) if n <= at_a_time), inputs)
        with code.loop(0, count) as number:
            _step(code, a, cell, first, number, most)
    return code.text()


def _step(code: Code, a: Arguments, cell: CellCode, first: str, number: str, most: int) -> None:
    """Recurrent products and gates of one step."""
    lanes, width = code.lanes, code.mul(a.panels, code.lanes)
    step = code.add(first, number)
    is_first = code.less(step, 1)
    before = code.choose(is_first, a.before, code.at(a.h, code.mul(code.sub(step, 1), a.h_step)), "ptr")
    length = code.choose(is_first, code.mul(a.units, code.sub(1, a.is_fresh)), a.units)
    h, sums = code.at(a.h, code.mul(step, a.h_step)), code.at(a.sums, code.mul(number, code.mul(width, cell.sums)))
    old_state = code.choose(is_first, a.memory_before, a.memory, "ptr") if cell.has_memory else before

    def group(panel: str, num_panels: int) -> None:
        units = [code.mul(code.add(panel, p), lanes) for p in range(num_panels)]
        places = [
            code.at(a.weight_h, code.mul(code.mul(code.add(panel, p), a.units), cell.gates * lanes), g * lanes)
            for p in range(num_panels)
            for g in range(cell.gates)
        ]
        totals = [[code.variable() for _ in range(cell.sums)] for _ in units]
        for unit, of_panel in zip(units, totals, strict=True):
            for g, total in enumerate(of_panel):
                code.set(total, code.load(code.at(sums, code.mul(width, g), unit)))
        to = [of_panel[g] for of_panel in totals for g in cell.from_state]
        product(code, [to], [before], places, length, cell.gates * lanes)
        for unit, of_panel in zip(units, totals, strict=True):
            mask = code.first(code.sub(a.units, unit))
            old = code.load_masked(code.at(old_state, unit), mask)
            new_h, new_memory, _ = cell.ahead(code, [code.get(total) for total in of_panel], old)
            code.store_masked(new_h, code.at(h, unit), mask)
            if cell.has_memory:
                code.store_masked(new_memory, code.at(a.memory, unit), mask)

    # groups as even as can be: some of one size, some of one more
    groups = code.quotient(code.add(a.panels, most - 1), most)
    few = code.quotient(a.panels, groups)
    num_larger = code.sub(a.panels, code.mul(few, groups))
    first_panel = "0"
    for size in range(most, 0, -1):
        of_few = code.choose(code.less(few, size), num_larger, code.sub(groups, num_larger))
        other = code.both_true(code.less(few, size + 1), code.less(size - 2, few))
        count = code.choose(other, of_few, 0)
        with code.loop(0, count) as i:
            group(code.add(first_panel, code.mul(i, size)), size)
        first_panel = code.add(first_panel, code.mul(count, size))

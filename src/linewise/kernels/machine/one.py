"""The forward pass of one layer for one sequence, as one function for each cell.

With one row there is no weight that serves twice in a step, so all of them come from the cache at every step, and
that is what the time goes into. Hence: inputs are multiplied some steps at a time, so that their weights come once
for all of these; recurrent weights lie in the order in which they are read. All sums are made in the order of
`programs.ahead`, so that a sequence has the same bits alone and among others.
"""

from __future__ import annotations

from collections.abc import Callable

from linewise.kernels.machine.activations import exp
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
UNTIL = (*ONE, "head", "head_bias", "class_panels", "classes", "logits", "weights", "limit", "read", "is_sure")
"""`head` panels × units × lanes; `logits` and `weights` are room for whole panels of classes. `limit`: how much
other classes may have beside one that counts 1, a float32. `read`: steps read, where one was sure; 0 otherwise."""
TINY = 2e-38
"""Just above the least that `exp` gives; it stands for nothing."""
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
    _loop(code, Arguments(code, ONE), cell, registers, None)
    return code.text()


def until(cell: CellCode, name: str, lanes: int, registers: int) -> str:
    """The same, with an answer after every step, and an end where it is sure enough."""
    code = Code(name, lanes)
    a = Arguments(code, UNTIL)
    code.put("i64", 0, a.read)
    _loop(code, a, cell, registers, lambda h: _answer(code, a, h))
    return code.text()


def _loop(code: Code, a: Arguments, cell: CellCode, registers: int, after: Callable[[str], None] | None) -> None:
    """All steps; with `after`, what is done with each hidden state, until `a.read` is not 0."""
    lanes = code.lanes
    width, at_a_time = code.mul(a.panels, lanes), block(cell, registers)
    row = code.mul(width, cell.sums)
    most = MOST[cell.gates]

    def block_of(first: str) -> None:
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
            if after is None:
                _step(code, a, cell, first, number, most)
            else:
                with code.when(code.same(code.take("i64", a.read), 0)):
                    after(_step(code, a, cell, first, number, most))
                    step = code.add(code.add(first, number), 1)
                    is_sure = code.same(code.take("i64", a.is_sure), 1)
                    code.put("i64", code.choose(is_sure, step, 0), a.read)

    with code.loop(0, a.steps, at_a_time) as first:
        if after is None:
            block_of(first)
        else:
            with code.when(code.same(code.take("i64", a.read), 0)):
                block_of(first)


def _answer(code: Code, a: Arguments, h: str) -> None:
    """Logits of a hidden state, and whether all classes but the first among the most likely have little enough."""
    lanes = code.lanes
    with code.loop(0, a.class_panels) as panel:
        total, offset = code.variable(), code.mul(panel, lanes)
        code.set(total, code.load(code.at(a.head_bias, offset)))
        product(code, [[total]], [h], [code.at(a.head, code.mul(offset, a.units))], a.units)
        code.store(code.get(total), code.at(a.logits, offset))
    most, best = code.room("float"), code.room("i64")
    code.put("float", code.take("float", a.logits), most)
    code.put("i64", 0, best)
    with code.loop(1, a.classes) as k:
        value, old = code.take("float", code.at(a.logits, k)), code.take("float", most)
        is_more = code.above(value, old)
        code.put("float", code.choose(is_more, value, old, "float"), most)
        code.put("i64", code.choose(is_more, k, code.take("i64", best)), best)
    with code.loop(0, a.class_panels) as panel:
        place = code.mul(panel, lanes)
        value = code.fsub(code.load(code.at(a.logits, place)), code.spread(most))
        code.store(exp(code, value), code.at(a.weights, place))
    rest = code.room("float")
    code.put("float", "0.0", rest)
    with code.loop(0, a.classes) as k, code.when(code.differ(k, code.take("i64", best))):
        value = code.take("float", code.at(a.weights, k))
        with code.when(code.over(value, code.single(TINY))):
            code.put("float", code.plus(code.take("float", rest), value), rest)
    over = code.over(code.take("float", rest), code.take("float", a.limit))
    code.put("i64", code.choose(over, 0, 1), a.is_sure)


def _step(code: Code, a: Arguments, cell: CellCode, first: str, number: str, most: int) -> str:
    """Recurrent products and gates of one step; the place of the new hidden state."""
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
    return h

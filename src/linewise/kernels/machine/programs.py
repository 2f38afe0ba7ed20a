"""The whole loop over time of one layer in one direction, forward and back, as one function each.

In every step a tile of a few rows (sequences) and a few vectors of units is summed in registers, products with
the input and with the last hidden state together, and goes through the gates before it is written: no sum ever
reaches memory. Weights come packed as vectors of units, `panels × inputs × lanes`. Rows that are left over are
worked on in a tile that overlaps the one before: a step reads nothing that it writes, so the same numbers are
written twice.
"""

from __future__ import annotations

from collections.abc import Callable

from linewise.kernels.machine.cells import CellCode
from linewise.kernels.machine.code import Code
from linewise.kernels.machine.products import Arguments, groups_of, product, rows_of

AHEAD = (
    "steps", "first_row", "end_row", "inputs", "units", "panels",
    "x", "x_step", "x_rows", "weight_x", "weight_h", "bias", "zeros",
    "h", "h_step", "h_rows", "memory", "memory_step", "memory_row", "memory_mask", "kept", "kept_step", "kept_row",
)  # fmt: skip
"""Arguments of the forward function; distances in float32. `x_rows` and `h_rows` are tables: where each sequence
begins. `memory_mask` 1 keeps only the last two steps."""
BACK = (
    "steps", "is_end", "is_start", "turn", "first_row", "end_row", "units", "panels", "weight", "zeros", "after",
    "d_h", "h", "h_step", "h_rows", "memory", "memory_step", "memory_row",
    "kept", "kept_step", "kept_row", "slots", "slots_step", "slots_row", "carry", "carry_step", "carry_row",
)  # fmt: skip
"""Arguments of the backward function, which does some steps. `is_end`: the last is the last of all; otherwise
`after` has the slots of the step past it. `is_start`: the first is the first of all. `turn`: steps done before.
`carry` has two places, the first holds what comes from past the end of all. `d_h` lies in memory as `h` does."""


def ahead(cell: CellCode, name: str, lanes: int, registers: int) -> str:
    """The forward function of a cell in LLVM's language."""
    code = Code(name, lanes)
    a = Arguments(code, AHEAD)
    width = code.mul(a.panels, lanes)
    with code.loop(0, a.steps) as s:
        last = code.sub(s, 1)
        is_first = code.less(s, 1)
        x, h = code.at(a.x, code.mul(s, a.x_step)), code.at(a.h, code.mul(s, a.h_step))
        before = code.at(a.h, code.mul(last, a.h_step))
        num_before = code.choose(is_first, 0, a.units)
        memory = code.at(a.memory, code.mul(code.both(s, a.memory_mask), a.memory_step))
        old = (
            code.at(a.memory, code.mul(code.both(last, a.memory_mask), a.memory_step))
            if cell.has_memory
            else before
        )
        old = code.choose(is_first, a.zeros, old, "ptr")
        has_old = code.choose(is_first, 0, 1)
        kept = code.at(a.kept, code.mul(s, a.kept_step))

        def tile(panel: str, num_panels: int, row: str, num_rows: int) -> None:
            columns = [(g, p) for p in range(num_panels) for g in range(cell.sums)]
            sums = [[code.variable() for _ in columns] for _ in range(num_rows)]
            units = [code.mul(code.add(panel, p), lanes) for p in range(num_panels)]
            for c, (g, p) in enumerate(columns):
                start = code.load(code.at(a.bias, code.mul(width, g), units[p]))
                for r in range(num_rows):
                    code.set(sums[r][c], start)
            here = [code.add(row, r) for r in range(num_rows)]
            of_x, of_h = ([code.number_at(t, n) for n in here] for t in (a.x_rows, a.h_rows))
            for rows, weight, count, of_rows, goes_to in (
                (x, a.weight_x, a.inputs, of_x, cell.from_input),
                (before, a.weight_h, a.units, of_h, cell.from_state),
            ):
                places = []
                for p in range(num_panels):
                    for g in range(len(goes_to)):
                        number = code.add(code.mul(a.panels, g), code.add(panel, p))
                        places.append(code.at(weight, code.mul(code.mul(number, count), lanes)))
                if not goes_to:
                    continue
                to = [p * cell.sums + s for p in range(num_panels) for s in goes_to]
                starts = [code.at(rows, of_row) for of_row in of_rows]
                length = count if weight is a.weight_x else num_before
                product(code, [[sums[r][c] for c in to] for r in range(num_rows)], starts, places, length)
            for p in range(num_panels):
                mask = code.first(code.sub(a.units, units[p]))
                for r, number in enumerate(here):
                    in_memory = code.mul(number, a.memory_row)
                    of_old = code.mul(in_memory if cell.has_memory else of_h[r], has_old)
                    place = code.at(old, of_old, units[p])
                    of_tile = [code.get(v) for v in sums[r][p * cell.sums : (p + 1) * cell.sums]]
                    new_h, new_memory, to_keep = cell.ahead(code, of_tile, code.load_masked(place, mask))
                    code.store_masked(new_h, code.at(h, of_h[r], units[p]), mask)
                    if cell.has_memory:
                        place = code.at(memory, in_memory, units[p])
                        code.store_masked(new_memory, place, mask)
                    for g, value in enumerate(to_keep):
                        row_place = code.at(kept, code.mul(number, a.kept_row), units[p])
                        code.store_masked(value, code.at(row_place, code.mul(a.units, g)), mask)

        _tiles(code, a, cell.panels, cell.sums, registers, tile)
    return code.text()


def back(cell: CellCode, name: str, lanes: int, registers: int) -> str:
    """The backward function of a cell in LLVM's language: gradients of all slots, last step first."""
    code = Code(name, lanes)
    a = Arguments(code, BACK)
    with code.loop(0, a.steps) as done:
        is_last = code.less(done, 1)
        s = code.sub(code.sub(a.steps, 1), done)
        last, is_first_step = code.sub(s, 1), code.less(s, a.is_start)
        num_after = code.choose(code.less(done, a.is_end), 0, a.units)
        d_h, kept = code.at(a.d_h, code.mul(s, a.h_step)), code.at(a.kept, code.mul(s, a.kept_step))
        slots, after = (code.at(a.slots, code.mul(t, a.slots_step)) for t in (s, code.add(s, 1)))
        after = code.choose(is_last, a.after, after, "ptr")
        turn = code.add(a.turn, done)
        carry_in, carry_out = (
            code.at(a.carry, code.mul(code.both(t, 1), a.carry_step)) for t in (turn, code.add(turn, 1))
        )
        state, step = (a.memory, a.memory_step) if cell.has_memory else (a.h, a.h_step)
        now = code.at(state, code.mul(s, step))
        old = code.choose(is_first_step, a.zeros, code.at(state, code.mul(last, step)), "ptr")
        has_old = code.choose(is_first_step, 0, 1)

        def tile(panel: str, num_panels: int, row: str, num_rows: int) -> None:
            units = [code.mul(code.add(panel, p), lanes) for p in range(num_panels)]
            masks = [code.first(code.sub(a.units, u)) for u in units]
            here = [code.add(row, r) for r in range(num_rows)]
            of_h = [code.number_at(a.h_rows, number) for number in here]
            sums = [[code.variable() for _ in units] for _ in here]
            for r in range(num_rows):
                for p, mask in enumerate(masks):
                    place = code.at(d_h, of_h[r], units[p])
                    code.set(sums[r][p], code.load_masked(place, mask))
            if cell.state_slots:
                gates, offset = len(cell.state_slots), code.mul(a.units, min(cell.state_slots))
                starts = [code.at(after, code.mul(n, a.slots_row), offset) for n in here]
                lines = [code.mul(code.mul(a.units, gates * lanes), code.add(panel, p)) for p in range(num_panels)]
                product(code, sums, starts, [code.at(a.weight, n) for n in lines], code.mul(num_after, gates))
            for p, mask in enumerate(masks):
                for r, number in enumerate(here):
                    of_state = code.mul(number, a.memory_row) if cell.has_memory else of_h[r]
                    value_now = code.load_masked(code.at(now, of_state, units[p]), mask)
                    of_old = code.mul(of_state, has_old)
                    value_old = code.load_masked(code.at(old, of_old, units[p]), mask)
                    kept_row = code.at(kept, code.mul(number, a.kept_row), units[p])
                    places = [code.at(kept_row, code.mul(a.units, g)) for g in range(cell.slots)]
                    gates = [code.load_masked(place, mask) for place in places]
                    carried_row = code.mul(number, a.carry_row)
                    carried = code.load_masked(code.at(carry_in, carried_row, units[p]), mask)
                    found, carries = cell.back(code, code.get(sums[r][p]), carried, gates, value_now, value_old)
                    if carries:
                        code.store_masked(carries, code.at(carry_out, carried_row, units[p]), mask)
                    slots_row = code.at(slots, code.mul(number, a.slots_row), units[p])
                    for g, value in enumerate(found):
                        code.store_masked(value, code.at(slots_row, code.mul(a.units, g)), mask)

        _tiles(code, a, (4, 2, 1), 1, registers, tile)
    return code.text()


def _tiles(
    code: Code,
    a: Arguments,
    sizes: tuple[int, ...],
    sums: int,
    registers: int,
    tile: Callable[[str, int, str, int], None],
) -> None:
    """All tiles of one step: groups of panels, the largest first, and under each all rows."""

    def strip(panel: str, num_panels: int) -> None:
        num_rows = min(registers // (sums * num_panels), 8)
        rows_of(code, a.first_row, a.end_row, num_rows, lambda row, count: tile(panel, num_panels, row, count))

    groups_of(code, 0, a.panels, sizes, strip)

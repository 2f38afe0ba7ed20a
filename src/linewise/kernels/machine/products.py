"""Matrix products over all steps for the backward pass, as programs: gradients of weights and of the input.

They are written here because the compiler may then use the whole width of the processor's vectors, which the
general library does not do on every make (benchmarks/LOG.md).
"""

from __future__ import annotations

from collections.abc import Callable

from linewise.kernels.machine.cells import CellCode
from linewise.kernels.machine.code import Code, Number

WEIGHTS = (
    "steps", "first_row", "end_row", "panels", "values", "x", "x_step", "x_rows",
    "slots", "slots_step", "slots_row", "d_weight", "d_weight_row",
)  # fmt: skip
"""d_weight[v][panel] += Σ over steps and rows of x[step][row][v] · slots[step][row][panel]."""
INPUTS = (
    "steps", "first_row", "end_row", "units", "panels", "inputs", "slots", "slots_step", "slots_row",
    "weight", "add", "d_x", "d_x_step", "d_x_rows",
)  # fmt: skip
"""d_x[step][row] = Σ over gates and units of slots[step][row][gate][unit] · weight[gate][unit].

With `add` 1, what is there is added to."""
POINTERS = {
    "x", "x_rows", "weight_x", "weight_h", "weight", "bias", "zeros", "h", "h_rows", "memory", "kept", "d_h",
    "slots", "after", "carry", "d_weight", "d_x", "d_x_rows", "before", "sums", "memory_before",
    "head", "head_bias", "logits", "weights", "limit", "read", "is_sure",
}  # fmt: skip
BLOCK = 128
"""Rows of a block: a strip of four vectors of so many rows fits the innermost cache."""


class Arguments:
    """The arguments of a function, by name."""

    def __init__(self, code: Code, names: tuple[str, ...]) -> None:
        self._values = {n: code.argument(i, "ptr" if n in POINTERS else "i64") for i, n in enumerate(names)}

    def __getattr__(self, name: str) -> str:
        return self._values[name]


def product(
    code: Code, sums: list[list[str]], rows: list[str], panels: list[str], length: Number, apart: int = 0
) -> None:
    """sums[r][p] += Σₖ rows[r][k] · panels[p][k], in registers.

    Args:
        apart: float32 from one vector of a panel to its next; 0: they lie one after another.
    """
    with code.loop(0, length) as k:
        offset = code.mul(k, apart or code.lanes)
        weights = [code.load(code.at(panel, offset)) for panel in panels]
        for row, of_row in zip(rows, sums, strict=True):
            value = code.spread(code.at(row, k))
            for total, weight in zip(of_row, weights, strict=True):
                code.set(total, code.fma(value, weight, code.get(total)))


def groups_of(
    code: Code, start: Number, stop: Number, sizes: tuple[int, ...], do: Callable[[str, int], None]
) -> None:
    """As many groups of the first size as there are, then of the next."""
    for size in sizes:
        whole = code.add(start, code.whole(code.sub(stop, start), size))
        with code.loop(start, whole, size) as first:
            do(first, size)
        start = whole


def rows_of(code: Code, start: Number, stop: Number, size: int, do: Callable[[str, int], None]) -> None:
    """All rows in tiles of `size`, the last overlapping the one before; one by one where there are fewer."""
    enough = code.less(size - 1, code.sub(stop, start))
    with code.loop(start, code.choose(enough, stop, start), size) as row:
        do(code.least(row, code.sub(stop, size)), size)
    with code.loop(code.choose(enough, stop, start), stop) as row:
        do(row, 1)


def of_weights(cell: CellCode, name: str, lanes: int, registers: int) -> str:
    """Gradient of a weight matrix, `values × panels · lanes`; what is there is added to."""
    code = Code(name, lanes)
    a = Arguments(code, WEIGHTS)
    num_rows = code.sub(a.end_row, a.first_row)
    together = code.choose(code.less(num_rows, BLOCK), code.quotient(BLOCK, num_rows), 1)
    with code.loop(0, a.steps, together) as first_step, code.loop(a.first_row, a.end_row, BLOCK) as first_row:
        end_step = code.least(code.add(first_step, together), a.steps)
        end_row = code.least(code.add(first_row, BLOCK), a.end_row)

        def strip(panel: str, num_panels: int) -> None:
            offset = code.mul(panel, lanes)
            strip_slots, strip_out = code.at(a.slots, offset), code.at(a.d_weight, offset)

            def tile(first: str, num_values: int) -> None:
                out = code.at(strip_out, code.mul(first, a.d_weight_row))
                rows = [code.at(out, code.mul(a.d_weight_row, v)) for v in range(num_values)]
                sums = [[code.variable() for _ in range(num_panels)] for _ in rows]
                for row, of_value in zip(rows, sums, strict=True):
                    for p, total in enumerate(of_value):
                        code.set(total, code.load(code.at(row, p * lanes)))
                with code.loop(first_step, end_step) as step:
                    of_step = code.at(strip_slots, code.mul(step, a.slots_step))
                    x_step = code.at(a.x, code.mul(step, a.x_step), first)
                    with code.loop(first_row, end_row) as row:
                        of_row = code.at(of_step, code.mul(row, a.slots_row))
                        vectors = [code.load(code.at(of_row, p * lanes)) for p in range(num_panels)]
                        x_row = code.at(x_step, code.number_at(a.x_rows, row))
                        for v, of_value in enumerate(sums):
                            value = code.spread(code.at(x_row, v))
                            for total, vector in zip(of_value, vectors, strict=True):
                                code.set(total, code.fma(value, vector, code.get(total)))
                for row, of_value in zip(rows, sums, strict=True):
                    for p, total in enumerate(of_value):
                        code.store(code.get(total), code.at(row, p * lanes))

            groups_of(code, 0, a.values, (min(registers // num_panels, 12), 4, 2, 1), tile)

        groups_of(code, 0, a.panels, (4, 2, 1), strip)
    return code.text()


def of_inputs(cell: CellCode, name: str, lanes: int, registers: int) -> str:
    """Gradient of the input."""
    code = Code(name, lanes)
    a = Arguments(code, INPUTS)
    with code.loop(0, a.steps) as step:
        slots, out = code.at(a.slots, code.mul(step, a.slots_step)), code.at(a.d_x, code.mul(step, a.d_x_step))

        def strip(panel: str, num_panels: int) -> None:
            units = [code.mul(code.add(panel, p), lanes) for p in range(num_panels)]
            masks = [code.first(code.sub(a.inputs, u)) for u in units]
            old_masks = [code.first(code.mul(a.add, code.sub(a.inputs, u))) for u in units]

            def tile(row: str, num_rows: int) -> None:
                here = [code.add(row, r) for r in range(num_rows)]
                places = [[code.at(out, code.number_at(a.d_x_rows, n), u) for u in units] for n in here]
                sums = [[code.variable() for _ in units] for _ in here]
                for of_row, from_row in zip(sums, places, strict=True):
                    for total, from_, mask in zip(of_row, from_row, old_masks, strict=True):
                        code.set(total, code.load_masked(from_, mask))
                starts = [
                    code.at(slots, code.mul(n, a.slots_row), code.mul(a.units, min(cell.input_slots)))
                    for n in here
                ]
                length = code.mul(a.units, len(cell.input_slots))
                lines = [code.mul(length, code.mul(code.add(panel, p), lanes)) for p in range(num_panels)]
                product(code, sums, starts, [code.at(a.weight, n) for n in lines], length)
                for of_row, to_row in zip(sums, places, strict=True):
                    for total, to, mask in zip(of_row, to_row, masks, strict=True):
                        code.store_masked(code.get(total), to, mask)

            groups_of(code, a.first_row, a.end_row, (min(registers // num_panels, 8), 2, 1), tile)

        groups_of(code, 0, a.panels, (4, 3, 2, 1), strip)
    return code.text()

"""What the recurrent cells do between their matrix products, on vectors of units, forward and back.

A *slot* is one of the numbers per unit that the forward pass keeps (gates after their activation) and that the
backward pass gives gradients for (of the sums before it). Formulas as in `kernels.reference`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

from linewise.kernels.machine.activations import one_minus, sigmoid, tanh
from linewise.kernels.machine.code import Code

SHUT = -40.0
"""Logits of a gate that is as good as shut."""


class CellCode(ABC):
    """One kind of cell.

    Attributes:
        gates: G, as torch counts them.
        from_input: for each gate in torch's order, the sum its input part goes to.
        from_state: the same for its recurrent part.
        sums: number of such sums.
        slots: numbers kept per unit.
        panels: vectors of units worked on at once, forward.
            Neither gates nor slots where a cell has no recurrent part.
        input_slots, state_slots: for each gate, the slot with the gradient of its input and recurrent part; either
            are neighbours, so that a product goes through them in one run.
        keeps_slots: whether the forward pass keeps them; otherwise the hidden state says all.
        has_memory: whether there is a state beside the hidden one.
    """

    gates: int
    from_input: tuple[int, ...]
    from_state: tuple[int, ...]
    sums: int
    slots: int
    panels: tuple[int, ...]
    input_slots: tuple[int, ...]
    state_slots: tuple[int, ...]
    has_memory: bool = False
    keeps_slots: bool = True

    @abstractmethod
    def ahead(self, code: Code, sums: list[str], before: str) -> tuple[str, str, list[str]]:
        """New hidden state, new memory, slots to keep. `before` is the last memory, or the last hidden state."""

    @abstractmethod
    def back(
        self, code: Code, d_h: str, carry: str, kept: list[str], now: str, before: str
    ) -> tuple[list[str], str]:
        """Gradients of the slots, and what is carried to the step before.

        Args:
            d_h: gradient of the hidden state, the recurrent part included.
            carry: from the step after: gradient of the memory, or of the hidden state past the products.
            kept: the slots.
            now: this step's memory, or hidden state.
            before: that of the step before.
        """


@final
class TanhCode(CellCode):
    gates, from_input, from_state, sums, slots = 1, (0,), (0,), 1, 1
    input_slots = state_slots = (0,)
    panels = (4, 2, 1)
    keeps_slots = False

    def ahead(self, code: Code, sums: list[str], before: str) -> tuple[str, str, list[str]]:
        h = tanh(code, sums[0])
        return h, h, []

    def back(
        self, code: Code, d_h: str, carry: str, kept: list[str], now: str, before: str
    ) -> tuple[list[str], str]:
        return [code.fmul(d_h, _slope_of_tanh(code, now))], ""


@final
class LSTMCode(CellCode):
    """Slots: input, forget, candidate, output."""

    gates, sums, slots = 4, 4, 4
    from_input = from_state = input_slots = state_slots = (0, 1, 2, 3)
    panels = (1,)
    has_memory = True

    def ahead(self, code: Code, sums: list[str], before: str) -> tuple[str, str, list[str]]:
        input_, forget = sigmoid(code, sums[0]), sigmoid(code, sums[1])
        candidate, output = tanh(code, sums[2]), sigmoid(code, sums[3])
        c = code.fma(forget, before, code.fmul(input_, candidate))
        return code.fmul(output, tanh(code, c)), c, [input_, forget, candidate, output]

    def back(
        self, code: Code, d_h: str, carry: str, kept: list[str], now: str, before: str
    ) -> tuple[list[str], str]:
        input_, forget, candidate, output = kept
        seen = tanh(code, now)
        d_c = code.fma(code.fmul(d_h, output), _slope_of_tanh(code, seen), carry)
        slots = [
            code.fmul(code.fmul(d_c, candidate), _slope_of_sigmoid(code, input_)),
            code.fmul(code.fmul(d_c, before), _slope_of_sigmoid(code, forget)),
            code.fmul(code.fmul(d_c, input_), _slope_of_tanh(code, candidate)),
            code.fmul(code.fmul(d_h, seen), _slope_of_sigmoid(code, output)),
        ]
        return slots, code.fmul(d_c, forget)


@final
class GRUCode(CellCode):
    """Slots: candidate, reset, update, recurrent part of the candidate.

    So the gradients of the input part are the first three, and those of the recurrent part the last three.
    """

    gates, sums, slots = 3, 4, 4
    from_input, from_state = (0, 1, 2), (0, 1, 3)
    input_slots, state_slots = (1, 2, 0), (1, 2, 3)
    panels = (1,)

    def ahead(self, code: Code, sums: list[str], before: str) -> tuple[str, str, list[str]]:
        reset, update = sigmoid(code, sums[0]), sigmoid(code, sums[1])
        candidate = tanh(code, code.fma(reset, sums[3], sums[2]))
        h = code.fma(update, code.fsub(before, candidate), candidate)
        return h, h, [candidate, reset, update, sums[3]]

    def back(
        self, code: Code, d_h: str, carry: str, kept: list[str], now: str, before: str
    ) -> tuple[list[str], str]:
        candidate, reset, update, recurrent = kept
        d_h = code.fadd(d_h, carry)
        d_candidate = code.fmul(code.fmul(d_h, one_minus(code, update)), _slope_of_tanh(code, candidate))
        d_reset = code.fmul(code.fmul(d_candidate, recurrent), _slope_of_sigmoid(code, reset))
        d_update = code.fmul(code.fmul(d_h, code.fsub(before, candidate)), _slope_of_sigmoid(code, update))
        return [d_candidate, d_reset, d_update, code.fmul(d_candidate, reset)], code.fmul(d_h, update)


@final
class MinGRUCode(CellCode):
    """Slots: update, candidate."""

    gates, sums, slots = 2, 2, 2
    from_input, from_state = (0, 1), ()
    input_slots, state_slots = (0, 1), ()
    panels = (2, 1)

    def ahead(self, code: Code, sums: list[str], before: str) -> tuple[str, str, list[str]]:
        update, candidate = sigmoid(code, sums[0]), sums[1]
        h = code.fma(update, code.fsub(candidate, before), before)
        return h, h, [update, candidate]

    def back(
        self, code: Code, d_h: str, carry: str, kept: list[str], now: str, before: str
    ) -> tuple[list[str], str]:
        update, candidate = kept
        d_h = code.fadd(d_h, carry)
        d_update = code.fmul(code.fmul(d_h, code.fsub(candidate, before)), _slope_of_sigmoid(code, update))
        return [d_update, code.fmul(d_h, update)], code.fmul(d_h, one_minus(code, update))


@final
class MinLSTMCode(CellCode):
    """Slots: forget, input, candidate. The input's share is i/(f + i); where both gates are as good as shut, only
    the difference of their logits counts, so both are raised."""

    gates, sums, slots = 3, 3, 3
    from_input, from_state = (0, 1, 2), ()
    input_slots, state_slots = (0, 1, 2), ()
    panels = (2, 1)

    def ahead(self, code: Code, sums: list[str], before: str) -> tuple[str, str, list[str]]:
        over = code.fadd(code.clamp(code.larger(sums[0], sums[1]), float("-inf"), SHUT), code.const(-SHUT))
        forget, input_ = (sigmoid(code, code.fsub(logit, over)) for logit in sums[:2])
        share = code.fdiv(input_, code.fadd(forget, input_))
        h = code.fma(share, code.fsub(sums[2], before), before)
        return h, h, [forget, input_, sums[2]]

    def back(
        self, code: Code, d_h: str, carry: str, kept: list[str], now: str, before: str
    ) -> tuple[list[str], str]:
        forget, input_, candidate = kept
        d_h, share = code.fadd(d_h, carry), code.fdiv(input_, code.fadd(forget, input_))
        d_logit = code.fmul(code.fmul(d_h, code.fsub(candidate, before)), _slope_of_sigmoid(code, share))
        d_forget = code.fmul(code.fsub(code.const(-0.0), d_logit), one_minus(code, forget))
        slots = [d_forget, code.fmul(d_logit, one_minus(code, input_)), code.fmul(d_h, share)]
        return slots, code.fmul(d_h, one_minus(code, share))


def _slope_of_tanh(code: Code, y: str) -> str:
    return code.fma(code.fsub(code.const(-0.0), y), y, code.const(1.0))


def _slope_of_sigmoid(code: Code, y: str) -> str:
    return code.fmul(y, one_minus(code, y))


CELL_CODES: dict[str, CellCode] = {
    "rnn": TanhCode(),
    "lstm": LSTMCode(),
    "gru": GRUCode(),
    "mingru": MinGRUCode(),
    "minlstm": MinLSTMCode(),
}

"""Reading until the answer is sure enough.

A batch is read side by side; images that have been answered leave it, those that begin with blank steps join it at
their first that is not: what a network remembers after so many blank steps is the same for all images, and is
looked up. Both change nothing but the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from linewise.kernels import prepared
from linewise.models.recurrent.stepping import Memory, Stepping

AT_ONCE = 7
"""Steps of one image that are read before looking whether any of them was enough: some in vain, but a call costs
more than they do."""


@final
@dataclass(frozen=True)
class Early:
    """Answers of a batch.

    Attributes:
        logits_BK: at the step where reading stopped.
        read_B: int64, steps until then, from 1; blank ones count.
        computed_B: int64, steps until then that were computed and not looked up.
    """

    logits_BK: Tensor
    read_B: Tensor
    computed_B: Tensor


def doubts(logits: Tensor) -> Tensor:
    """Probability of all classes but the most likely one, over the last dimension; exact where it is small."""
    rest = torch.softmax(logits, dim=-1)
    return rest.scatter(-1, rest.argmax(dim=-1, keepdim=True), 0.0).sum(dim=-1)


def stops(logits_BTK: Tensor, doubt: float | None) -> Tensor:
    """The step, from 1, at which reading by this threshold ends, int64 `B`: T where it is never sure."""
    sure_BT = doubts(logits_BTK) <= (-1.0 if doubt is None else doubt)
    sure_BT[:, -1] = True
    return sure_BT.int().argmax(dim=1) + 1


@final
class EarlyReader:
    """Reads until the other classes together have at most `doubt`; to the end where they never have.

    Args:
        stepping: the network; its weights stay as they are while this reader lives (`kernels.prepared`).
        doubt: the threshold; None reads all.
        blank_CHW: an image that is blank; steps equal to its are looked up while nothing else was read. None
            computes every step.
    """

    def __init__(self, stepping: Stepping, doubt: float | None, blank_CHW: Tensor | None) -> None:
        self.stepping, self.doubt = stepping, doubt
        self.blank = [] if blank_CHW is None else stepping.steps(blank_CHW[None])
        self.blank_TD = () if blank_CHW is None else tuple(x[:, 0] for x in stepping.sequences(blank_CHW[None]))
        self.at_once = AT_ONCE if stepping.pays_together else 1
        self.network = stepping.network
        self.until = stepping.until()
        self.promise = prepared(self.network)  # for as long as this reader lives
        self.num_steps = self.network.readings[0].num_steps(*self.network.config.img_size)
        self.table, self.first_sure, self.logits_K = self._blank_table()

    @torch.inference_mode()
    def read(self, x_BCHW: Tensor) -> Early:
        """Read a batch."""
        if len(x_BCHW) == 1:
            return self._read_one(self.stepping.sequences(x_BCHW))
        return self._read_batch(self.stepping.steps(x_BCHW), len(x_BCHW))

    def _blank_table(self) -> tuple[list[Memory], int, list[Tensor]]:
        """What is remembered after 0, 1, 2, … blank steps; after which of them reading would stop (more than there
        are, if it never would); and the logits after each."""
        table, logits = [self.stepping.start(1)], []
        with torch.inference_mode():
            for t, x in enumerate(self.blank, start=1):
                logits_BK, memory = self.stepping.step(table[-1], x)
                logits.append(logits_BK)
                table.append(memory)
                if self._sure(logits_BK).all():
                    return table, t, logits
        return table, self.num_steps + 1, logits

    def _sure(self, logits_BK: Tensor) -> Tensor:
        if self.doubt is None:
            return torch.zeros(len(logits_BK), dtype=torch.bool)
        return doubts(logits_BK) <= self.doubt

    def _read_one(self, x: tuple[Tensor, ...]) -> Early:
        """In one call, where there is one for such a network; else some steps at a time, and of these the first
        after which the answer is sure."""
        skipped = self._blank_steps(x)
        if skipped >= min(self.first_sure, self.num_steps):
            read = min(self.first_sure, self.num_steps)
            return Early(self.logits_K[read - 1], torch.tensor([read]), torch.tensor([0]))
        if self.until is not None and x[0].dtype == torch.float32:
            (state,) = self.table[skipped].bodies[0]
            more, logits_BK = self.until(x[0][skipped:], state, self.doubt)
            return Early(logits_BK, torch.tensor([skipped + more]), torch.tensor([more]))
        memory, logits_TBK, at_once = self.table[skipped], torch.zeros(0), self.at_once
        t, read = skipped, 0
        for t in range(skipped, self.num_steps, at_once):
            logits_TBK, memory = self.stepping.several(memory, tuple(x_TBD[t : t + at_once] for x_TBD in x))
            read = len(logits_TBK)
            if self.doubt is not None:
                sure = (doubts(logits_TBK[:, 0]) <= self.doubt).tolist()
                read = sure.index(True) + 1 if True in sure else read
                if True in sure:
                    break
        read_1 = torch.tensor([t + read])
        return Early(logits_TBK[read - 1], read_1, read_1 - skipped)

    def _blank_steps(self, x: tuple[Tensor, ...]) -> int:
        """How many steps at the beginning are blank, of those looked up; of one image."""
        if not self.blank:
            return 0
        same_T = _equal(tuple(x_TBD[: len(self.blank), 0] for x_TBD in x), self.blank_TD)
        return [*same_T.tolist(), False].index(False)

    def _read_batch(self, x: list[tuple[Tensor, ...]], size: int) -> Early:
        skipped_B = self._leading_blanks(x, size)
        read_B = torch.full((size,), self.num_steps)
        logits_BK = x[0][0].new_zeros(size, self.network.config.num_classes)
        settled = min(self.first_sure, self.num_steps)
        done_B = skipped_B >= settled
        if done_B.any():  # blank as far as an answer needs
            read_B[done_B], logits_BK[done_B] = settled, self.logits_K[settled - 1]
            skipped_B = torch.where(done_B, settled, skipped_B)
        active_A, memory = torch.zeros(0, dtype=torch.int64), self.table[0].pick(torch.zeros(0, dtype=torch.int64))
        for t in range(self.num_steps):
            joining_J = torch.nonzero((skipped_B == t) & ~done_B)[:, 0]
            if len(joining_J):
                memory = memory.join(self.table[t].pick(torch.zeros_like(joining_J)))
                active_A = torch.cat([active_A, joining_J])
            if not len(active_A):
                continue
            whole = len(active_A) == size and bool((active_A == torch.arange(size)).all())
            now = x[t] if whole else tuple(x_BD[active_A] for x_BD in x[t])
            logits_AK, memory = self.stepping.step(memory, now)
            leaving_A = (
                self._sure(logits_AK) if t < self.num_steps - 1 else torch.ones_like(active_A, dtype=torch.bool)
            )
            if leaving_A.any():
                left_L = active_A[leaving_A]
                read_B[left_L], logits_BK[left_L] = t + 1, logits_AK[leaving_A]
                active_A, memory = active_A[~leaving_A], memory.pick(~leaving_A)
        return Early(logits_BK, read_B, read_B - skipped_B)

    def _leading_blanks(self, x: list[tuple[Tensor, ...]], size: int) -> Tensor:
        still_B, count_B = torch.ones(size, dtype=torch.bool), torch.zeros(size, dtype=torch.int64)
        for step, blank in zip(x, self.blank, strict=False):  # no blank ones: nothing is looked up
            still_B &= _equal(step, blank)
            if not still_B.any():
                break
            count_B += still_B
        return count_B


def _equal(x: tuple[Tensor, ...], blank: tuple[Tensor, ...]) -> Tensor:
    """Which images of a batch have this step blank, or which steps of an image are, for every reader."""
    same = [(x_BD == blank_BD).all(dim=1) for x_BD, blank_BD in zip(x, blank, strict=True)]
    return torch.stack(same).all(dim=0)

"""Readouts: from the states after each step to one vector per image, or to one after each step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor, nn

from linewise.foundations.errors import unknown_name
from linewise.kernels import State
from linewise.kernels.scan import linear_scan

READOUTS = ("auto", "last", "mean", "max", "attention", "last-mean")


class Readout(nn.Module, ABC):
    """Maps `h_BTF` to `x_BG`; after every step, where the states know nothing of later steps."""

    num_outputs: int

    def __init__(self, num_inputs: int) -> None:
        super().__init__()
        self.num_outputs = num_inputs

    @abstractmethod
    def forward(self, h_BTF: Tensor) -> Tensor: ...

    @abstractmethod
    def each_step(self, h_BTF: Tensor) -> Tensor:
        """`x_BTG`, at each step what `forward` gives for the states up to it."""

    @abstractmethod
    def start(self, like_BF: Tensor) -> State:
        """What it knows before the first step of states like this one."""

    @abstractmethod
    def step(self, state: State, h_BF: Tensor) -> tuple[Tensor, State]:
        """`x_BG` after one more step, and what to go on with."""

    def several(self, state: State, h_TBF: Tensor) -> tuple[Tensor, State]:
        """`x_TBG` after each of some further steps, and what to go on with."""
        found = []
        for h_BF in h_TBF:
            x_BG, state = self.step(state, h_BF)
            found.append(x_BG)
        return torch.stack(found), state


@final
class Last(Readout):
    """The state after the last step; where both directions are still apart, the last of each.

    Args:
        halves: the first half of F reads ahead, the second back.
    """

    def __init__(self, num_inputs: int, halves: bool) -> None:
        super().__init__(num_inputs)
        self.halves = halves

    def forward(self, h_BTF: Tensor) -> Tensor:
        if not self.halves:
            return h_BTF[:, -1]
        half = h_BTF.shape[2] // 2
        return torch.cat([h_BTF[:, -1, :half], h_BTF[:, 0, half:]], dim=1)

    def each_step(self, h_BTF: Tensor) -> Tensor:
        return h_BTF

    def start(self, like_BF: Tensor) -> State:
        return ()

    def step(self, state: State, h_BF: Tensor) -> tuple[Tensor, State]:
        return h_BF, ()

    def several(self, state: State, h_TBF: Tensor) -> tuple[Tensor, State]:
        return h_TBF, ()


@final
class Mean(Readout):
    """The mean over steps."""

    def forward(self, h_BTF: Tensor) -> Tensor:
        return h_BTF.mean(dim=1)

    def each_step(self, h_BTF: Tensor) -> Tensor:
        return _means(h_BTF)

    def start(self, like_BF: Tensor) -> State:
        return torch.zeros_like(like_BF), torch.zeros_like(like_BF[:, :1])

    def step(self, state: State, h_BF: Tensor) -> tuple[Tensor, State]:
        sum_BF, count_B1 = state[0] + h_BF, state[1] + 1
        return sum_BF / count_B1, (sum_BF, count_B1)


class Max(Readout):
    """The largest value of each feature over steps."""

    def forward(self, h_BTF: Tensor) -> Tensor:
        return h_BTF.amax(dim=1)

    def each_step(self, h_BTF: Tensor) -> Tensor:
        return h_BTF.cummax(dim=1).values

    def start(self, like_BF: Tensor) -> State:
        return (torch.full_like(like_BF, -torch.inf),)

    def step(self, state: State, h_BF: Tensor) -> tuple[Tensor, State]:
        most_BF = torch.maximum(state[0], h_BF)
        return most_BF, (most_BF,)


@final
class Attention(Readout):
    """A weighted mean; one learned query scores the steps (Bahdanau et al. 2015, Yang et al. 2016)."""

    def __init__(self, num_inputs: int) -> None:
        super().__init__(num_inputs)
        self.score = nn.Linear(num_inputs, 1, bias=False)
        nn.init.zeros_(self.score.weight)  # starts as the mean

    def forward(self, h_BTF: Tensor) -> Tensor:
        weight_BT1 = torch.softmax(self.score(h_BTF), dim=1)
        return (weight_BT1 * h_BTF).sum(dim=1)

    def each_step(self, h_BTF: Tensor) -> Tensor:
        """Each step scales the mean so far by what its own score leaves of the weight: a linear recurrence."""
        score_TB1 = self.score(h_BTF).transpose(0, 1)
        total_TB1 = torch.logcumsumexp(score_TB1, dim=0)
        kept_TB1 = torch.cat([torch.zeros_like(total_TB1[:1]), torch.exp(total_TB1[:-1] - total_TB1[1:])])
        added_TBF = torch.exp(score_TB1 - total_TB1) * h_BTF.transpose(0, 1)
        return linear_scan(kept_TB1.expand_as(added_TBF), added_TBF).transpose(0, 1)

    def start(self, like_BF: Tensor) -> State:
        return torch.zeros_like(like_BF), torch.full_like(like_BF[:, :1], -torch.inf)

    def step(self, state: State, h_BF: Tensor) -> tuple[Tensor, State]:
        mean_BF, before_B1 = state
        score_B1 = self.score(h_BF)
        total_B1 = torch.logaddexp(before_B1, score_B1)
        mean_BF = torch.exp(before_B1 - total_B1) * mean_BF + torch.exp(score_B1 - total_B1) * h_BF
        return mean_BF, (mean_BF, total_B1)


@final
class LastMean(Readout):
    """The last state and the mean, side by side."""

    def __init__(self, num_inputs: int, halves: bool) -> None:
        super().__init__(num_inputs)
        self.last, self.mean = Last(num_inputs, halves), Mean(num_inputs)
        self.num_outputs = 2 * num_inputs

    def forward(self, h_BTF: Tensor) -> Tensor:
        return torch.cat([self.last(h_BTF), h_BTF.mean(dim=1)], dim=1)

    def each_step(self, h_BTF: Tensor) -> Tensor:
        return torch.cat([h_BTF, _means(h_BTF)], dim=2)

    def start(self, like_BF: Tensor) -> State:
        return self.mean.start(like_BF)

    def step(self, state: State, h_BF: Tensor) -> tuple[Tensor, State]:
        mean_BF, state = self.mean.step(state, h_BF)
        return torch.cat([h_BF, mean_BF], dim=1), state


def _means(h_BTF: Tensor) -> Tensor:
    """The mean up to each step."""
    counts_T1 = torch.arange(1, h_BTF.shape[1] + 1, device=h_BTF.device, dtype=h_BTF.dtype)[:, None]
    return h_BTF.cumsum(dim=1) / counts_T1


def stands_for(bidirectional: bool) -> str:
    """What `auto` is: the last state of one direction, the mean of two."""
    return "mean" if bidirectional else "last"


def make_readout(name: str, num_inputs: int, *, bidirectional: bool, halves: bool) -> Readout:
    """A readout by name; `auto` is the last state of one direction and the mean of two.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in READOUTS:
        raise unknown_name("readout", name, READOUTS)
    if name == "auto":
        name = stands_for(bidirectional)
    if name in ("last", "last-mean"):
        return (Last if name == "last" else LastMean)(num_inputs, halves)
    return {"mean": Mean, "max": Max, "attention": Attention}[name](num_inputs)

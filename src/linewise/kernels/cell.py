"""What a cell of our own is: a fast form, a readable one, and a closed form of its cost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor, nn

from linewise.kernels.fused.gated import read

State = tuple[Tensor, ...]
"""What a layer remembers between two steps; the first dimension of each tensor is the batch."""


class Cell(nn.Module, ABC):
    """One recurrent layer in one direction, time first, with the interface of torch's layers.

    A cell holds parameters and no other modules, so that its cost is one closed form.

    Attributes:
        num_inputs: D, numbers per step.
        num_hidden: U, numbers it gives per step.
        fused: name of the kernels that can compute it; then its parameters are one weight and one bias.
    """

    fused = ""

    def __init__(self, num_inputs: int, num_hidden: int) -> None:
        super().__init__()
        self.num_inputs, self.num_hidden = num_inputs, num_hidden

    @abstractmethod
    def forward(self, x_TBD: Tensor) -> tuple[Tensor, None]:
        """Hidden states `h_TBU`, and None where torch's layers give their last state."""

    @abstractmethod
    def reference(self, x_TBD: Tensor) -> Tensor:
        """The same states, one step after another, written to be read."""

    @abstractmethod
    def start(self, batch_size: int) -> State:
        """The state before the first step."""

    @abstractmethod
    def step(self, state: State, x_BD: Tensor) -> tuple[Tensor, State]:
        """Hidden state `h_BU` after one more step, and the state to go on with. In evaluation only."""

    @abstractmethod
    def macs(self, num_steps: int) -> int:
        """Multiply-accumulates for one sequence of `num_steps` steps, element-wise work left out."""

    def depth(self, num_steps: int) -> int:
        """Longest chain of steps that wait for one another: T, as in torch's layers."""
        return num_steps


class Beside(nn.Module):
    """A module some of whose children do not wait for one another.

    Attributes:
        beside: names of these children; the depth of them all is that of the deepest.
    """

    beside: tuple[str, ...]


@final
class TwoDirections(Beside):
    """One cell reads from the first step to the last, another back; their outputs are concatenated."""

    beside = ("ahead", "back")

    def __init__(self, ahead: Cell, back: Cell) -> None:
        super().__init__()
        self.ahead, self.back = ahead, back

    def forward(self, x_TBD: Tensor) -> tuple[Tensor, None]:
        if self.ahead.fused and type(self.ahead) is type(self.back):
            weights: list[Tensor] = [w for cell in (self.ahead, self.back) for w in cell.parameters()]
            both_TBU = read(self.ahead.fused, weights, x_TBD, self.ahead.num_hidden)
            if both_TBU is not None:
                return both_TBU, None
        back_TBU = self.back(x_TBD.flip(0))[0].flip(0)
        return torch.cat([self.ahead(x_TBD)[0], back_TBU], dim=2), None

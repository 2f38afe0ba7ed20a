"""Bodies of recurrent networks: what lies between a reading and its readout. All are time first."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from torch import Tensor, nn

from linewise.kernels import State, recurrent_layer, steps
from linewise.models.layers import DropPath, MLPBlock, depth_rates
from linewise.reading import Reading

BODIES = ("plain", "blocks")


@final
class Plain(nn.Module):
    """Recurrent layers one upon the other; dropout between layers, outside the cell."""

    def __init__(
        self, cell: str, num_inputs: int, hidden: int, layers: int, bidirectional: bool, dropout: float
    ) -> None:
        super().__init__()
        self.num_outputs = hidden * (2 if bidirectional else 1)
        widths = [num_inputs] + [self.num_outputs] * (layers - 1)
        self.layers = nn.ModuleList(recurrent_layer(cell, d, hidden, bidirectional=bidirectional) for d in widths)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_TBD: Tensor) -> Tensor:
        """Hidden states of the last layer, `h_TBF`."""
        for i, layer in enumerate(self.layers):
            x_TBD, _ = layer(self.dropout(x_TBD) if i else x_TBD)
        return x_TBD

    def start(self, batch_size: int) -> list[State]:
        """The state of each layer before the first step."""
        return [steps.start(layer, batch_size) for layer in self.layers]

    def step(self, states: list[State], x_BD: Tensor) -> tuple[Tensor, list[State]]:
        """`h_BF` after one more step, and the states to go on with; in evaluation only."""
        after: list[State] = []
        for layer, state in zip(self.layers, states, strict=True):
            x_BD, state = steps.step(layer, state, x_BD)
            after.append(state)
        return x_BD, after

    def several(self, states: list[State], x_TBD: Tensor) -> tuple[Tensor, list[State]]:
        """`h_TBF` after further steps, and the states to go on with; in evaluation only."""
        after: list[State] = []
        for layer, state in zip(self.layers, states, strict=True):
            x_TBD, state = steps.several(layer, state, x_TBD)
            after.append(state)
        return x_TBD, after


@final
class Blocks(nn.Module):
    """A linear map to U numbers, then residual blocks with the norm before (Xiong et al. 2020), then a norm.

    A block is x + cell(norm(x)) and x + MLP(norm(x)); two directions are brought back to U by a linear map.
    Deep linear recurrences need the MLPs: without them, they stay linear in the image.
    """

    def __init__(
        self, cell: str, num_inputs: int, hidden: int, layers: int, bidirectional: bool, dropout: float, mlp: int
    ) -> None:
        super().__init__()
        self.num_outputs = hidden
        self.stem = nn.Linear(num_inputs, hidden)
        self.blocks = nn.Sequential(
            *(Block(cell, hidden, bidirectional, mlp, rate) for rate in depth_rates(dropout, layers))
        )
        self.norm = nn.LayerNorm(hidden)

    def forward(self, x_TBD: Tensor) -> Tensor:
        """The residual stream after the last norm, `h_TBU`."""
        return self.norm(self.blocks(self.stem(x_TBD)))

    def start(self, batch_size: int) -> list[State]:
        """The state of each block before the first step."""
        return [steps.start(block.cell, batch_size) for block in self._blocks()]

    def step(self, states: list[State], x_BD: Tensor) -> tuple[Tensor, list[State]]:
        """`h_BU` after one more step, and the states to go on with; in evaluation only."""
        return self._go_on(steps.step, states, x_BD)

    def several(self, states: list[State], x_TBD: Tensor) -> tuple[Tensor, list[State]]:
        """`h_TBU` after further steps, and the states to go on with; in evaluation only."""
        return self._go_on(steps.several, states, x_TBD)

    def _go_on(
        self, go: Callable[[nn.Module, State, Tensor], tuple[Tensor, State]], states: list[State], x: Tensor
    ) -> tuple[Tensor, list[State]]:
        x, after = self.stem(x), []
        for block, state in zip(self._blocks(), states, strict=True):
            h, state = go(block.cell, state, block.norm_cell(x))
            x = x + h
            x = x + block.mlp(block.norm_mlp(x))
            after.append(state)
        return self.norm(x), after

    def _blocks(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]


@final
class Block(nn.Module):
    """x + cell(norm(x)), then x + MLP(norm(x)); whole branches are dropped for single images."""

    def __init__(self, cell: str, hidden: int, bidirectional: bool, mlp: int, drop_path: float) -> None:
        super().__init__()
        self.norm_cell = nn.LayerNorm(hidden)
        self.cell = recurrent_layer(cell, hidden, hidden, bidirectional=bidirectional)
        self.union = nn.Linear(2 * hidden, hidden) if bidirectional else nn.Identity()
        self.norm_mlp = nn.LayerNorm(hidden)
        self.mlp = MLPBlock(hidden, mlp)
        self.drop_path = DropPath(drop_path, batch_dim=1)

    def forward(self, x_TBU: Tensor) -> Tensor:
        h_TBF, _ = self.cell(self.norm_cell(x_TBU))
        x_TBU = x_TBU + self.drop_path(self.union(h_TBF))
        return x_TBU + self.drop_path(self.mlp(self.norm_mlp(x_TBU)))


@final
class Reader(nn.Module):
    """A body over one reading."""

    def __init__(self, reading: Reading, body: Plain | Blocks) -> None:
        super().__init__()
        self.reading, self.body = reading, body
        self.num_outputs = body.num_outputs

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Hidden states after each step, `h_BTF`."""
        return self.body(self.reading.read(x_BCHW).transpose(0, 1)).transpose(0, 1)

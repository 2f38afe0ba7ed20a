"""Twins of the linear recurrences: computed by doubling, in ⌈log2 T⌉ rounds over all steps at once.

After each round every step has gathered twice as many steps before it (Hillis & Steele 1986; Blelloch 1990). A
processor does more work than in a loop, but each round is a few large operations that an ONNX graph can hold.
"""

from __future__ import annotations

from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor

from linewise.kernels import Cell, State
from linewise.kernels.lru import LRU, RGLRU
from linewise.kernels.mingru import MinGRU, MinLSTM


class Twin(Cell):
    """Base of the cells' twins; what they stand for is kept beside, not among their modules."""

    def __init__(self, original: Any, num_inputs: int, num_hidden: int) -> None:
        super().__init__(num_inputs, num_hidden)
        self._original = (original,)

    def reference(self, x_TBD: Tensor) -> Tensor:
        """What the layer it stands for gives."""
        return self._original[0](x_TBD)[0]

    def macs(self, num_steps: int) -> int:
        """Those of the layer it stands for."""
        return self._original[0].macs(num_steps)


@final
class GatedTwin(Twin):
    """minGRU, minLSTM or RG-LRU: h = a·h + b, where a and b look at the input only."""

    def __init__(self, cell: MinGRU | MinLSTM | RGLRU) -> None:
        super().__init__(cell, cell.num_inputs, cell.num_hidden)
        self.cell = cell

    def gates(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """a and b, for one step or all."""
        if isinstance(self.cell, RGLRU):
            return self.cell._gates(x)
        both = F.linear(x, self.cell.weight, self.cell.bias)
        if isinstance(self.cell, MinGRU):
            gate, candidate = both.chunk(2, dim=-1)
        else:
            forget, input_, candidate = both.chunk(3, dim=-1)
            gate = F.logsigmoid(input_) - F.logsigmoid(forget)  # i/(f + i), for shut gates too
        return torch.sigmoid(-gate), torch.sigmoid(gate) * candidate

    def forward(self, x_TBD: Tensor) -> tuple[Tensor, None]:
        return doubled(*self.gates(x_TBD)), None

    def start(self, batch_size: int) -> State:
        return self.cell.start(batch_size)

    def step(self, state: State, x_BD: Tensor) -> tuple[Tensor, State]:
        a_BU, b_BU = self.gates(x_BD)
        h_BU = a_BU * state[0] + b_BU
        return h_BU, (h_BU,)


@final
class LRUTwin(Twin):
    """The LRU with its complex numbers as pairs of real ones; its state is `B2U`."""

    decay_2U: Tensor
    weight_in: Tensor
    weight_out: Tensor

    def __init__(self, cell: LRU) -> None:
        super().__init__(cell, cell.num_inputs, cell.num_hidden)
        decay_U2 = torch.view_as_real(cell.decay().detach().resolve_conj()).clone()
        weight = cell.weight_in * torch.exp(cell.log_gamma)[:, None, None]
        self.register_buffer("decay_2U", decay_U2.T.contiguous())
        self.register_buffer("weight_in", weight.detach().transpose(0, 1).flatten(0, 1).contiguous())  # 2U, D
        signs = cell.weight_out.new_tensor([1.0, -1.0])
        self.register_buffer(
            "weight_out", (cell.weight_out * signs).detach().transpose(1, 2).flatten(1).contiguous()
        )
        self.skip = cell.skip

    def forward(self, x_TBD: Tensor) -> tuple[Tensor, None]:
        real, imaginary = F.linear(x_TBD, self.weight_in).chunk(2, dim=-1)
        h_TB2U = torch.cat(doubled_complex(self.decay_2U, real, imaginary), dim=-1)
        return self._out(h_TB2U, x_TBD), None

    def _out(self, h: Tensor, x: Tensor) -> Tensor:
        y = F.linear(h, self.weight_out)
        return y if self.skip is None else y + self.skip * x

    def start(self, batch_size: int) -> State:
        return (self.weight_in.new_zeros(batch_size, 2, self.num_hidden),)

    def step(self, state: State, x_BD: Tensor) -> tuple[Tensor, State]:
        b_B2U = F.linear(x_BD, self.weight_in).unflatten(1, (2, -1))
        a_2U = self.decay_2U
        before_B2U = state[0]
        h_B2U = torch.stack(
            [
                b_B2U[:, 0] + a_2U[0] * before_B2U[:, 0] - a_2U[1] * before_B2U[:, 1],
                b_B2U[:, 1] + a_2U[0] * before_B2U[:, 1] + a_2U[1] * before_B2U[:, 0],
            ],
            dim=1,
        )
        return self._out(h_B2U.flatten(1), x_BD), (h_B2U,)


def doubled(a_TBU: Tensor, b_TBU: Tensor) -> Tensor:
    """h_t = a_t·h_{t-1} + b_t from h = 0, all steps at once.

    >>> doubled(torch.full((3, 1, 1), 0.5), torch.ones(3, 1, 1)).flatten().tolist()
    [1.0, 1.5, 1.75]
    """
    reach, steps = 1, b_TBU.shape[0]
    while reach < steps:
        b_TBU = torch.cat([b_TBU[:reach], b_TBU[reach:] + a_TBU[reach:] * b_TBU[:-reach]])
        if 2 * reach < steps:
            a_TBU = torch.cat([a_TBU[:reach], a_TBU[reach:] * a_TBU[:-reach]])
        reach *= 2
    return b_TBU


def doubled_complex(decay_2U: Tensor, real_TBU: Tensor, imaginary_TBU: Tensor) -> tuple[Tensor, Tensor]:
    """The same for one complex decay at all steps, real and imaginary parts apart."""
    reach, steps = 1, real_TBU.shape[0]
    a, b = decay_2U[0], decay_2U[1]
    while reach < steps:
        r, i = real_TBU[:-reach], imaginary_TBU[:-reach]
        real_TBU, imaginary_TBU = (
            torch.cat([real_TBU[:reach], real_TBU[reach:] + a * r - b * i]),
            torch.cat([imaginary_TBU[:reach], imaginary_TBU[reach:] + a * i + b * r]),
        )
        a, b = a * a - b * b, 2 * a * b
        reach *= 2
    return real_TBU, imaginary_TBU

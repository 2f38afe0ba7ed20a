"""Recurrent layers and readouts in a form that the exporter can write: same weights, same answers.

The loops over time of our kernels are machine code or Python, of which an exporter sees nothing or every turn.
torch's layers become the ONNX operators RNN, GRU and LSTM, which hold their loop inside; linear recurrences are
computed by doubling, in ⌈log2 T⌉ rounds over all steps at once. A twin is never trained, and an operator's twin
computes nothing by itself: it stands in a graph that is written.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar, cast, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linewise.kernels import Cell, State
from linewise.kernels.lru import LRU, RGLRU
from linewise.kernels.mingru import MinGRU, MinLSTM
from linewise.models.recurrent.readouts import Attention, Max, Readout

OPERATORS: dict[str, tuple[str, tuple[int, ...], dict[str, Any]]] = {
    "RNN_TANH": ("RNN", (0,), {}),
    "RNN_RELU": ("RNN", (0,), {"activations": ["Relu"]}),
    "GRU": ("GRU", (1, 0, 2), {"linear_before_reset": 1}),
    "LSTM": ("LSTM", (0, 3, 1, 2), {}),
}
"""Torch's mode → the operator, the order of its gates in torch's, and what else it has to be told: cuDNN's and
torch's GRU resets after the product."""
OPERATOR_VERSION = 14

LOWEST = -1e30
"""A logarithm of nothing that still can be subtracted from itself."""

N = TypeVar("N", bound=nn.Module)


def with_twins(network: N) -> N:
    """A copy of a network, in evaluation mode, whose layers can all be written."""
    twin = copy.deepcopy(network).eval()
    for module in list(twin.modules()):
        for name, child in module.named_children():
            stand_in = _twin_of(child)
            if stand_in is not None:
                setattr(module, name, stand_in)
    return twin


def _twin_of(layer: nn.Module) -> nn.Module | None:
    if isinstance(layer, nn.RNNBase):
        return OperatorLayer(layer)
    if isinstance(layer, MinGRU | MinLSTM | RGLRU):
        return GatedTwin(layer)
    if isinstance(layer, LRU):
        return LRUTwin(layer)
    if isinstance(layer, Max):
        return MaxTwin(layer.num_outputs)
    return AttentionTwin(layer) if isinstance(layer, Attention) else None


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
class OperatorLayer(Twin):
    """One of torch's recurrent layers, in one or two directions, as an ONNX operator."""

    weight_RGD: Tensor
    recurrent_RGU: Tensor
    bias_RG: Tensor

    def __init__(self, layer: nn.RNNBase) -> None:
        assert layer.num_layers == 1 and layer.bias and not layer.batch_first and not layer.proj_size, layer
        super().__init__(layer, layer.input_size, layer.hidden_size)
        self.operator, order, attributes = OPERATORS[layer.mode]
        ends = ("", "_reverse") if layer.bidirectional else ("",)
        self.directions = len(ends)

        def packed(kind: str) -> Tensor:
            parts = [getattr(layer, f"{kind}_l0{end}").detach().chunk(len(order)) for end in ends]
            return torch.stack([torch.cat([gates[i] for i in order]) for gates in parts])

        self.register_buffer("weight_RGD", packed("weight_ih"))
        self.register_buffer("recurrent_RGU", packed("weight_hh"))
        self.register_buffer("bias_RG", torch.cat([packed("bias_ih"), packed("bias_hh")], dim=1))
        self.attributes: dict[str, Any] = {
            "hidden_size": layer.hidden_size,
            "direction": "bidirectional" if self.directions == 2 else "forward",
            **{key: v * self.directions if isinstance(v, list) else v for key, v in attributes.items()},
        }

    def forward(self, x_TBD: Tensor) -> tuple[Tensor, None]:
        (h_TRBU,) = self._operate(x_TBD, ())
        return h_TRBU.permute(0, 2, 1, 3).flatten(2), None

    def start(self, batch_size: int) -> State:
        empty_BU = self.weight_RGD.new_zeros(batch_size, self.num_hidden)
        return (empty_BU, empty_BU) if self.operator == "LSTM" else (empty_BU,)

    def step(self, state: State, x_BD: Tensor) -> tuple[Tensor, State]:
        _, *after_RBU = self._operate(x_BD[None], state)
        after = tuple(part_RBU[0] for part_RBU in after_RBU)
        return after[0], after

    def _operate(self, x_TBD: Tensor, state: State) -> tuple[Tensor, ...]:
        """All hidden states `h_TRBU`, and the last of each part of the state, where one is given."""
        steps, batch, _ = x_TBD.shape
        last = (self.directions, batch, self.num_hidden)
        inputs = (x_TBD, self.weight_RGD, self.recurrent_RGU, self.bias_RG)
        given = (None, *(part_BU[None] for part_BU in state)) if state else ()
        found = torch.onnx.ops.symbolic_multi_out(
            self.operator,
            (*inputs, *given),
            self.attributes,
            dtypes=[x_TBD.dtype] * (1 + len(state)),
            shapes=[(steps, *last), *[last] * len(state)],
            version=OPERATOR_VERSION,
        )
        return tuple(found)


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
    """The LRU with its complex numbers as pairs of real ones; its state is `BU2`."""

    def __init__(self, cell: LRU) -> None:
        super().__init__(cell, cell.num_inputs, cell.num_hidden)
        decay_U2 = torch.view_as_real(cell.decay().detach().resolve_conj()).clone()
        weight = cell.weight_in * torch.exp(cell.log_gamma)[:, None, None]
        self.register_buffer("decay_2U", decay_U2.T.contiguous())
        self.register_buffer("weight_in", weight.detach().transpose(0, 1).flatten(0, 1).contiguous())  # 2U, D
        signs = cell.weight_out.new_tensor([1.0, -1.0])
        self.register_buffer("weight_out", (cell.weight_out * signs).detach().transpose(1, 2).flatten(1).contiguous())
        self.skip = cell.skip

    def forward(self, x_TBD: Tensor) -> tuple[Tensor, None]:
        real, imaginary = F.linear(x_TBD, cast(Tensor, self.weight_in)).chunk(2, dim=-1)
        h_TB2U = torch.cat(doubled_complex(cast(Tensor, self.decay_2U), real, imaginary), dim=-1)
        return self._out(h_TB2U, x_TBD), None

    def _out(self, h: Tensor, x: Tensor) -> Tensor:
        y = F.linear(h, cast(Tensor, self.weight_out))
        return y if self.skip is None else y + self.skip * x

    def start(self, batch_size: int) -> State:
        return (cast(Tensor, self.weight_in).new_zeros(batch_size, 2, self.num_hidden),)

    def step(self, state: State, x_BD: Tensor) -> tuple[Tensor, State]:
        b_B2U = F.linear(x_BD, cast(Tensor, self.weight_in)).unflatten(1, (2, -1))
        a_2U = cast(Tensor, self.decay_2U)
        before_B2U = state[0]
        h_B2U = torch.stack(
            [
                b_B2U[:, 0] + a_2U[0] * before_B2U[:, 0] - a_2U[1] * before_B2U[:, 1],
                b_B2U[:, 1] + a_2U[0] * before_B2U[:, 1] + a_2U[1] * before_B2U[:, 0],
            ],
            dim=1,
        )
        return self._out(h_B2U.flatten(1), x_BD), (h_B2U,)


@final
class MaxTwin(Readout):
    """`readouts.Max`, its running maximum by doubling."""

    def forward(self, h_BTF: Tensor) -> Tensor:
        return h_BTF.amax(dim=1)

    def each_step(self, h_BTF: Tensor) -> Tensor:
        reach = 1
        while reach < h_BTF.shape[1]:
            h_BTF = torch.cat([h_BTF[:, :reach], torch.maximum(h_BTF[:, reach:], h_BTF[:, :-reach])], dim=1)
            reach *= 2
        return h_BTF

    def start(self, like_BF: Tensor) -> State:
        return (torch.full_like(like_BF, -torch.inf),)

    def step(self, state: State, h_BF: Tensor) -> tuple[Tensor, State]:
        most_BF = torch.maximum(state[0], h_BF)
        return most_BF, (most_BF,)


@final
class AttentionTwin(Readout):
    """`readouts.Attention`: after each step, softmax over the steps so far; from step to step, a weighted sum that
    is scaled by the largest score."""

    def __init__(self, readout: Attention) -> None:
        super().__init__(readout.num_outputs)
        self.score = readout.score

    def forward(self, h_BTF: Tensor) -> Tensor:
        return (torch.softmax(self.score(h_BTF), dim=1) * h_BTF).sum(dim=1)

    def each_step(self, h_BTF: Tensor) -> Tensor:
        steps = h_BTF.shape[1]
        later_TT = torch.ones(steps, steps, dtype=torch.bool).triu(1)
        score_B1T = self.score(h_BTF).transpose(1, 2)
        return torch.softmax(score_B1T.masked_fill(later_TT, -torch.inf), dim=2) @ h_BTF

    def start(self, like_BF: Tensor) -> State:
        return torch.zeros_like(like_BF), torch.zeros_like(like_BF[:, :1]), torch.full_like(like_BF[:, :1], LOWEST)

    def step(self, state: State, h_BF: Tensor) -> tuple[Tensor, State]:
        sum_BF, weight_B1, high_B1 = state
        score_B1 = self.score(h_BF)
        now_B1 = torch.maximum(high_B1, score_B1)
        kept_B1, added_B1 = torch.exp(high_B1 - now_B1), torch.exp(score_B1 - now_B1)
        sum_BF, weight_B1 = kept_B1 * sum_BF + added_B1 * h_BF, kept_B1 * weight_B1 + added_B1
        return sum_BF / weight_B1, (sum_BF, weight_B1, now_B1)


def doubled(a_TBU: Tensor, b_TBU: Tensor) -> Tensor:
    """h_t = a_t·h_{t-1} + b_t from h = 0, all steps at once: after each round every step has gathered twice as many
    (Hillis & Steele 1986; Blelloch 1990).

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

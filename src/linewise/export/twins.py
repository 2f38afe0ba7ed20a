"""Recurrent layers and readouts in a form that the exporter can write: same weights, same answers.

The loops over time of our kernels are machine code or Python, of which an exporter sees nothing or every turn.
torch's layers become the ONNX operators RNN, GRU and LSTM, which hold their loop inside; linear recurrences are
computed by doubling, in ⌈log2 T⌉ rounds over all steps at once. A twin is never trained, and an operator's twin
computes nothing by itself: it stands in a graph that is written.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar, final

import torch
from torch import Tensor, nn

from linewise.export.doubling import GatedTwin, LRUTwin, Twin
from linewise.kernels import State
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


@final
class OperatorLayer(Twin):
    """One of torch's recurrent layers, in one or two directions, as an ONNX operator."""

    weight_RGD: Tensor
    recurrent_RGU: Tensor
    bias_RG: Tensor

    def __init__(self, layer: nn.RNNBase) -> None:
        plain = (layer.num_layers, layer.bias, layer.batch_first, layer.proj_size)
        assert plain == (1, True, False, 0), layer
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
class MaxTwin(Max):
    """`readouts.Max`, its running maximum by doubling."""

    def each_step(self, h_BTF: Tensor) -> Tensor:
        reach = 1
        while reach < h_BTF.shape[1]:
            h_BTF = torch.cat([h_BTF[:, :reach], torch.maximum(h_BTF[:, reach:], h_BTF[:, :-reach])], dim=1)
            reach *= 2
        return h_BTF


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

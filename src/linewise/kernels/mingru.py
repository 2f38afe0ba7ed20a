"""minGRU and minLSTM: gates that look at the input only, so that the recurrence is linear (Feng et al. 2024).

Plain space and plain candidates, without the paper's log-space form, which exists for parallel scans.
"""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linewise.kernels.cell import Cell, State
from linewise.kernels.fused.gated import read
from linewise.kernels.gated import Gate, gated_scan

SHUT = -40.0
"""Logits of a gate that is as good as shut: where both are below, only their difference counts."""


@final
class _Update:
    """minGRU's only gate is z itself."""

    num_gates = 1

    def weigh(self, gates_BG: Tensor) -> tuple[Tensor, Tensor]:
        z_BU = gates_BG.sigmoid()
        return z_BU, z_BU

    def back(self, open_BG: Tensor, d_logit_BU: Tensor, out_BG: Tensor) -> None:
        out_BG.copy_(d_logit_BU)


@final
class _ForgetInput:
    """z = i/(f + i), whose logit is log i - log f."""

    num_gates = 2

    def weigh(self, gates_BG: Tensor) -> tuple[Tensor, Tensor]:
        if gates_BG.min() < SHUT:
            forget_BU, input_BU = gates_BG.chunk(2, dim=1)
            over_BU = torch.maximum(forget_BU, input_BU).clamp_(max=SHUT).sub_(SHUT)
            gates_BG = gates_BG - over_BU.repeat(1, 2)
        open_BG = gates_BG.sigmoid()
        forget_BU, input_BU = open_BG.chunk(2, dim=1)
        return input_BU / (forget_BU + input_BU), open_BG

    def back(self, open_BG: Tensor, d_logit_BU: Tensor, out_BG: Tensor) -> None:
        (forget_BU, input_BU), (d_forget_BU, d_input_BU) = open_BG.chunk(2, dim=1), out_BG.chunk(2, dim=1)
        torch.addcmul(d_logit_BU, d_logit_BU, input_BU, value=-1, out=d_input_BU)
        torch.addcmul(d_logit_BU, d_logit_BU, forget_BU, value=-1, out=d_forget_BU).neg_()


@final
class MinGRU(Cell):
    """z = sigmoid(W_z x); candidate = W_h x; h = (1 - z)·h + z·candidate."""

    fused = "mingru"

    def __init__(self, num_inputs: int, num_hidden: int) -> None:
        super().__init__(num_inputs, num_hidden)
        self.weight = nn.Parameter(torch.empty(2 * num_hidden, num_inputs))
        self.bias = nn.Parameter(torch.zeros(2 * num_hidden))
        for gate in self.weight.detach().chunk(2):
            nn.init.xavier_uniform_(gate)
        _spread(self.bias.detach()[:num_hidden])

    def forward(self, x_TBD: Tensor) -> tuple[Tensor, None]:
        h_TBU = read(self.fused, [self.weight, self.bias], x_TBD, self.num_hidden)
        return (gated_scan(x_TBD, self.weight, self.bias, _Update()) if h_TBU is None else h_TBU), None

    def reference(self, x_TBD: Tensor) -> Tensor:
        h_BU, states = x_TBD.new_zeros(x_TBD.shape[1], self.num_hidden), []
        for x_BD in x_TBD:
            gate, candidate = F.linear(x_BD, self.weight, self.bias).chunk(2, dim=1)
            z = torch.sigmoid(gate)
            h_BU = (1 - z) * h_BU + z * candidate
            states.append(h_BU)
        return torch.stack(states)

    def start(self, batch_size: int) -> State:
        return (self.weight.new_zeros(batch_size, self.num_hidden),)

    def step(self, state: State, x_BD: Tensor) -> tuple[Tensor, State]:
        h_BU = _step(state[0], x_BD, self.weight, self.bias, _Update())
        return h_BU, (h_BU,)

    def macs(self, num_steps: int) -> int:
        return num_steps * 2 * self.num_hidden * self.num_inputs


@final
class MinLSTM(Cell):
    """f = sigmoid(W_f x), i = sigmoid(W_i x); h = f/(f + i)·h + i/(f + i)·W_h x."""

    fused = "minlstm"

    def __init__(self, num_inputs: int, num_hidden: int) -> None:
        super().__init__(num_inputs, num_hidden)
        self.weight = nn.Parameter(torch.empty(3 * num_hidden, num_inputs))
        self.bias = nn.Parameter(torch.zeros(3 * num_hidden))
        for gate in self.weight.detach().chunk(3):
            nn.init.xavier_uniform_(gate)
        _spread(self.bias.detach()[num_hidden : 2 * num_hidden])

    def forward(self, x_TBD: Tensor) -> tuple[Tensor, None]:
        h_TBU = read(self.fused, [self.weight, self.bias], x_TBD, self.num_hidden)
        return (gated_scan(x_TBD, self.weight, self.bias, _ForgetInput()) if h_TBU is None else h_TBU), None

    def reference(self, x_TBD: Tensor) -> Tensor:
        h_BU, states = x_TBD.new_zeros(x_TBD.shape[1], self.num_hidden), []
        for x_BD in x_TBD:
            forget, input_, candidate = F.linear(x_BD, self.weight, self.bias).chunk(3, dim=1)
            share = torch.sigmoid(F.logsigmoid(input_) - F.logsigmoid(forget))  # i/(f + i), for shut gates too
            h_BU = (1 - share) * h_BU + share * candidate
            states.append(h_BU)
        return torch.stack(states)

    def start(self, batch_size: int) -> State:
        return (self.weight.new_zeros(batch_size, self.num_hidden),)

    def step(self, state: State, x_BD: Tensor) -> tuple[Tensor, State]:
        h_BU = _step(state[0], x_BD, self.weight, self.bias, _ForgetInput())
        return h_BU, (h_BU,)

    def macs(self, num_steps: int) -> int:
        return num_steps * 3 * self.num_hidden * self.num_inputs


def _step(last_BU: Tensor, x_BD: Tensor, weight_GD: Tensor, bias_G: Tensor, gate: Gate) -> Tensor:
    both_BG, num_hidden = F.linear(x_BD, weight_GD, bias_G), last_BU.shape[1]
    return torch.lerp(last_BU, both_BG[:, -num_hidden:], gate.weigh(both_BG[:, :-num_hidden])[0])


def _spread(bias_U: Tensor) -> None:
    """Memories from two steps to about a thousand: update gates from 1/2 to 1/1000, evenly in the logarithm
    (chrono initialisation, Tallec & Ollivier 2018)."""
    bias_U.copy_(-torch.linspace(0.0, 7.0, len(bias_U)) if len(bias_U) > 1 else torch.zeros(1))

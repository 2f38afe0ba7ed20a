"""Diagonal linear recurrences with a stable parametrisation: LRU (complex) and RG-LRU (real, gated)."""

from __future__ import annotations

import math
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linewise.kernels.cell import Cell, State
from linewise.kernels.scan import linear_scan


@final
class LRU(Cell):
    """The linear recurrent unit (Orvieto et al. 2023): U complex states, each a decaying rotation.

    h_t = λ·h_{t-1} + γ·B x_t and y_t = Re(C h_t) + d·x_t, with λ = exp(-exp(ν) + i·exp(θ)), so that |λ| < 1
    whatever is learned, and γ = sqrt(1 - |λ|²) at the start. The skip d·x_t is there where D = U.

    Args:
        radius: |λ| at the start, from and to, evenly over the ring.
        phase: the largest angle of λ at the start, radians.
    """

    def __init__(
        self,
        num_inputs: int,
        num_hidden: int,
        *,
        radius: tuple[float, float] = (0.9, 0.999),
        phase: float = math.pi / 10,
    ) -> None:
        super().__init__(num_inputs, num_hidden)
        low, high = radius
        square_U = torch.rand(num_hidden) * (high**2 - low**2) + low**2
        self.log_nu = nn.Parameter(torch.log(-0.5 * torch.log(square_U)))
        self.log_theta = nn.Parameter(torch.log(phase * torch.rand(num_hidden).clamp_min(1e-3)))
        self.log_gamma = nn.Parameter(0.5 * torch.log1p(-square_U))
        self.weight_in = nn.Parameter(torch.randn(num_hidden, 2, num_inputs) / math.sqrt(2 * num_inputs))
        self.weight_out = nn.Parameter(torch.randn(num_hidden, num_hidden, 2) / math.sqrt(num_hidden))
        self.skip = nn.Parameter(torch.randn(num_hidden)) if num_inputs == num_hidden else None

    def decay(self) -> Tensor:
        """λ, complex `U`, inside the unit circle."""
        return torch.polar(torch.exp(-torch.exp(self.log_nu)), torch.exp(self.log_theta))

    def forward(self, x_TBD: Tensor) -> tuple[Tensor, None]:
        weight = self.weight_in * torch.exp(self.log_gamma)[:, None, None]
        b_TBU2 = F.linear(x_TBD, weight.flatten(0, 1)).unflatten(2, (-1, 2))
        h_TBU = linear_scan(self.decay(), torch.view_as_complex(b_TBU2))
        y_TBU = F.linear(torch.view_as_real(h_TBU).flatten(2), self._weight_out())
        return y_TBU if self.skip is None else y_TBU + self.skip * x_TBD, None

    def _weight_out(self) -> Tensor:
        """Re(C h) = Re C·Re h - Im C·Im h, as one matrix for interleaved parts."""
        return (self.weight_out * self.weight_out.new_tensor([1.0, -1.0])).flatten(1)

    def reference(self, x_TBD: Tensor) -> Tensor:
        decay_U, gamma_U1 = self.decay(), torch.exp(self.log_gamma)[:, None]
        b_UD = torch.complex(self.weight_in[:, 0], self.weight_in[:, 1]) * gamma_U1
        c_UU = torch.complex(self.weight_out[..., 0], self.weight_out[..., 1])
        h_BU, outputs = decay_U.new_zeros(x_TBD.shape[1], self.num_hidden), []
        for x_BD in x_TBD:
            h_BU = decay_U * h_BU + x_BD.to(b_UD.dtype) @ b_UD.T
            y_BU = (h_BU @ c_UU.T).real
            outputs.append(y_BU if self.skip is None else y_BU + self.skip * x_BD)
        return torch.stack(outputs)

    def start(self, batch_size: int) -> State:
        return (torch.view_as_complex(self.weight_in.new_zeros(batch_size, self.num_hidden, 2)),)

    def step(self, state: State, x_BD: Tensor) -> tuple[Tensor, State]:
        weight = self.weight_in * torch.exp(self.log_gamma)[:, None, None]
        b_BU2 = F.linear(x_BD, weight.flatten(0, 1)).unflatten(1, (-1, 2))
        h_BU = torch.addcmul(torch.view_as_complex(b_BU2), self.decay(), state[0])
        y_BU = F.linear(torch.view_as_real(h_BU).flatten(1), self._weight_out())
        return y_BU if self.skip is None else y_BU + self.skip * x_BD, (h_BU,)

    def macs(self, num_steps: int) -> int:
        return num_steps * 2 * self.num_hidden * (self.num_inputs + self.num_hidden)


@final
class RGLRU(Cell):
    """The real-gated linear recurrent unit of Griffin (De et al. 2024).

    r = sigmoid(W_r x), i = sigmoid(W_i x), a = exp(-8·softplus(Λ)·r);
    h = a·h + sqrt(1 - a²)·i·(W_v x). |a| < 1 whatever is learned.
    """

    STRENGTH = 8.0

    def __init__(self, num_inputs: int, num_hidden: int) -> None:
        super().__init__(num_inputs, num_hidden)
        self.weight = nn.Parameter(torch.empty(3 * num_hidden, num_inputs))
        self.bias = nn.Parameter(torch.zeros(3 * num_hidden))
        for gate in self.weight.detach().chunk(3):
            nn.init.xavier_uniform_(gate)
        slow_U = torch.linspace(0.9, 0.999, num_hidden)  # a at a half-open gate r = 1/2
        rate_U = -torch.log(slow_U) / (self.STRENGTH / 2)
        self.rate = nn.Parameter(torch.log(torch.expm1(rate_U)))

    def _gates(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """a and b of h = a·h + b, for one step or all."""
        recurrent, input_, value = F.linear(x, self.weight, self.bias).chunk(3, dim=-1)
        log_a = -self.STRENGTH * F.softplus(self.rate) * torch.sigmoid(recurrent)
        size = torch.sqrt(-torch.expm1(2 * log_a) + 1e-12)
        return torch.exp(log_a), size * torch.sigmoid(input_) * value

    def forward(self, x_TBD: Tensor) -> tuple[Tensor, None]:
        return linear_scan(*self._gates(x_TBD)), None

    def reference(self, x_TBD: Tensor) -> Tensor:
        h_BU, states = x_TBD.new_zeros(x_TBD.shape[1], self.num_hidden), []
        for x_BD in x_TBD:
            a_BU, b_BU = self._gates(x_BD)
            h_BU = a_BU * h_BU + b_BU
            states.append(h_BU)
        return torch.stack(states)

    def start(self, batch_size: int) -> State:
        return (self.weight.new_zeros(batch_size, self.num_hidden),)

    def step(self, state: State, x_BD: Tensor) -> tuple[Tensor, State]:
        a_BU, b_BU = self._gates(x_BD)
        h_BU = torch.addcmul(b_BU, a_BU, state[0])
        return h_BU, (h_BU,)

    def macs(self, num_steps: int) -> int:
        return num_steps * 3 * self.num_hidden * self.num_inputs

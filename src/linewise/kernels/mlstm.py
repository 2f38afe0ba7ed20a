"""mLSTM: an LSTM whose memory is a matrix, written by keys and read by queries (Beck et al. 2024, xLSTM).

    C_t = f·C_{t-1} + i·v kᵀ,  n_t = f·n_{t-1} + i·k,  h = o·(C q) / max(|nᵀq|, 1)

with f = sigmoid, i = exp, both brought into range by a running maximum m that cancels. The gates look at the
input only, so the steps of a chunk can be computed together; between chunks the memory is handed on.
"""

from __future__ import annotations

import math
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linewise.kernels.cell import Cell, State

NEVER = -1e30
"""A logarithm of nothing that still can be subtracted from itself."""


@final
class MLSTM(Cell):
    """Matrix memory, `heads` of them, in chunks of `chunk` steps (one chunk as long as the text: the paper's
    parallel form; chunks of one step: its recurrent form).

    Raises:
        ValueError: U is not a multiple of `heads` (callers choose sizes).
    """

    def __init__(self, num_inputs: int, num_hidden: int, *, heads: int = 1, chunk: int = 32) -> None:
        super().__init__(num_inputs, num_hidden)
        if num_hidden % heads:
            raise ValueError(f"{num_hidden} hidden units cannot be shared by {heads} heads")
        self.heads, self.chunk = heads, chunk
        self.weight = nn.Parameter(torch.empty(4 * num_hidden, num_inputs))  # query, key, value, output gate
        self.bias = nn.Parameter(torch.zeros(4 * num_hidden))
        for part in self.weight.detach().chunk(4):
            nn.init.xavier_uniform_(part)
        self.gate_weight = nn.Parameter(0.1 * torch.randn(2 * heads, num_inputs) / math.sqrt(num_inputs))
        self.gate_bias = nn.Parameter(torch.cat([torch.full((heads,), -2.0), torch.linspace(3.0, 6.0, heads)]))

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Queries, keys, values with a constant one, output gate, log input gate, log forget gate; `...NP`."""
        query, key, value, output = F.linear(x, self.weight, self.bias).chunk(4, dim=-1)
        log_i, forget = F.linear(x, self.gate_weight, self.gate_bias).chunk(2, dim=-1)
        query, key, value = (p.unflatten(-1, (self.heads, -1)) for p in (query, key, value))
        key = key / math.sqrt(key.shape[-1])
        value = torch.cat([value, torch.ones_like(value[..., :1])], dim=-1)  # its sum is the normaliser nᵀq
        return query, key, value, torch.sigmoid(output), log_i, F.logsigmoid(forget)

    def forward(self, x_TBD: Tensor) -> tuple[Tensor, None]:
        query, key, value, output_TBU, log_i, log_f = self._project(x_TBD)
        size = query.shape[-1]
        memory = x_TBD.new_zeros(x_TBD.shape[1] * self.heads, size, size + 1)
        reach = x_TBD.new_full((memory.shape[0], 1), NEVER)
        outputs: list[Tensor] = []
        for q, k, v, i, f in zip(*(p.split(self.chunk) for p in (query, key, value, log_i, log_f)), strict=True):
            q, k, v = (p.flatten(1, 2).transpose(0, 1) for p in (q, k, v))
            i, f = (p.flatten(1).transpose(0, 1) for p in (i, f))
            h, memory, reach = _read_chunk(q, k, v, i, f, memory, reach)
            outputs.append(h.transpose(0, 1).unflatten(1, (-1, self.heads)).flatten(2))
        return output_TBU * torch.cat(outputs), None

    def reference(self, x_TBD: Tensor) -> Tensor:
        state, states = self.start(x_TBD.shape[1]), []
        for x_BD in x_TBD:
            h_BU, state = self.step(state, x_BD)
            states.append(h_BU)
        return torch.stack(states)

    def start(self, batch_size: int) -> State:
        size = self.num_hidden // self.heads
        memory = self.weight.new_zeros(batch_size, self.heads, size, size + 1)
        return memory, self.weight.new_full((batch_size, self.heads), NEVER)

    def step(self, state: State, x_BD: Tensor) -> tuple[Tensor, State]:
        query, key, value, output_BU, log_i, log_f = self._project(x_BD)
        memory, before = state
        reach = torch.maximum(log_f + before, log_i)
        f, i = torch.exp(log_f + before - reach), torch.exp(log_i - reach)
        memory = f[..., None, None] * memory + i[..., None, None] * key[..., :, None] * value[..., None, :]
        read = (query[..., :, None] * memory).sum(dim=-2)
        least = torch.exp(-reach)[..., None]
        h = read[..., :-1] / torch.maximum(read[..., -1:].abs(), least)
        return output_BU * h.flatten(1), (memory, reach)

    def macs(self, num_steps: int) -> int:
        d = self.num_hidden // self.heads
        whole, rest = divmod(num_steps, self.chunk)
        lengths = [self.chunk] * whole + [rest] * (rest > 0)
        inside = sum(length**2 * (2 * d + 1) + 2 * length * d * (d + 1) for length in lengths)
        return self.heads * inside + num_steps * (4 * self.num_hidden + 2 * self.heads) * self.num_inputs


def _read_chunk(
    q: Tensor, k: Tensor, v: Tensor, log_i: Tensor, log_f: Tensor, memory: Tensor, reach: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """One chunk of L steps for M = B·heads memories: `q`, `k` (M, L, d), `v` (M, L, d + 1), gates (M, L).

    `memory` is scaled by exp(-reach). The scale cancels in the output, so no gradient flows through it.
    """
    until = log_f.cumsum(dim=1)  # log decay from the chunk's start
    log_d = until[:, :, None] - until[:, None, :] + log_i[:, None, :]
    log_d = log_d.masked_fill(torch.ones_like(log_d[0], dtype=torch.bool).triu(1), NEVER)
    high = torch.maximum(log_d.amax(dim=2), until + reach).detach()
    scores = torch.bmm(q, k.transpose(1, 2)) * torch.exp(log_d - high[:, :, None])
    read = torch.bmm(scores, v) + torch.exp(until + reach - high)[:, :, None] * torch.bmm(q, memory)
    h = read[..., :-1] / torch.maximum(read[..., -1:].abs(), torch.exp(-high)[:, :, None])
    left = until[:, -1:] - until + log_i  # log weight of each step at the chunk's end
    after = torch.maximum(until[:, -1:] + reach, left.amax(dim=1, keepdim=True)).detach()
    written = torch.bmm((k * torch.exp(left - after)[:, :, None]).transpose(1, 2), v)
    memory = torch.exp(until[:, -1:] + reach - after)[:, :, None] * memory + written
    return h, memory, after

"""The same network on torch's own layers: same answers, weights of its own, torch's classes."""

from __future__ import annotations

import torch
from torch import nn

from linewise.kernels import Linear
from linewise.kernels.twins import with_torchs_layers


class OwnGRU(nn.GRU):
    """A layer with a kernel of ours, as the dispatcher makes them: torch's weights, another forward pass."""

    calls = 0

    def forward(self, *given):  # type: ignore[no-untyped-def,override]
        OwnGRU.calls += 1
        return super().forward(*given)


def test_torchs_layers_have_no_twin() -> None:
    assert with_torchs_layers(nn.Sequential(nn.GRU(3, 4), nn.Linear(4, 2))) is None


def test_the_twin_answers_alike_without_our_layer() -> None:
    network, x_TBD = nn.ModuleList([OwnGRU(3, 4), nn.LSTM(4, 5)]), torch.rand(6, 2, 3)
    twin = with_torchs_layers(network)
    assert twin is not None
    assert [type(layer) for layer in twin] == [nn.GRU, nn.LSTM]
    assert [type(layer) for layer in network] == [OwnGRU, nn.LSTM]
    answers, OwnGRU.calls = network[0](x_TBD)[0], 0
    torch.testing.assert_close(twin[0](x_TBD)[0], answers, rtol=0, atol=0)
    assert OwnGRU.calls == 0


def test_linear_layers_are_torchs_too() -> None:
    network, x = nn.Sequential(Linear(7, 5)), torch.rand(3, 7)
    twin = with_torchs_layers(network)
    assert twin is not None
    assert type(twin[0]) is nn.Linear
    torch.testing.assert_close(twin(x), network(x))


def test_the_twin_learns_by_itself() -> None:
    network = nn.ModuleList([OwnGRU(3, 4)])
    twin = with_torchs_layers(network)
    assert twin is not None
    before = [p.detach().clone() for p in network.parameters()]
    optimiser = torch.optim.SGD(twin.parameters(), lr=1.0)
    twin[0](torch.rand(6, 2, 3))[0].sum().backward()
    optimiser.step()
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(before, twin.parameters(), strict=True))
    with torch.no_grad():  # what it answers with are the weights that it learned
        h_TBU, _ = twin[0](x := torch.rand(6, 2, 3))
        old_TBU, _ = network[0](x)
    assert not torch.allclose(h_TBU, old_TBU)

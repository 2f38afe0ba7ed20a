"""The stacked layer against the readable reference, network by network, in value and gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from linewise.kernels import reference
from linewise.kernels.stacked import CELLS, batched_layer, stacked_layer

GATES = {"rnn": 1, "lstm": 4, "gru": 3}
S, T, B, D, U = 3, 5, 4, 6, 7


def inputs(cell: str, *, steps: int = T, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    gates = GATES[cell] * U
    shapes = [(S, steps, B, D), (S, gates, D), (S, gates, U), (S, gates), (S, gates)]
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64).mul_(0.5).requires_grad_() for shape in shapes
    ]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("steps", [1, 5])
def test_each_network_has_the_reference_s_states_and_gradients(cell: str, reverse: bool, steps: int) -> None:
    given = inputs(cell, steps=steps)
    x_STBD, *own = given
    other = [w.detach().flip(0) for w in own]  # of the direction that is not looked at
    both = stacked_layer(cell, x_STBD, [*other, *own] if reverse else [*own, *other])
    h_STBU = both.chunk(2, dim=3)[int(reverse)]
    weight = torch.randn(h_STBU.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = torch.autograd.grad((h_STBU * weight).sum(), given)
    for s in range(S):
        x_TBD, *weights = (x[s].detach().requires_grad_() for x in given)
        h_BTU = reference.run(cell, x_TBD.transpose(0, 1), *weights, reverse=reverse)
        torch.testing.assert_close(h_STBU[s].transpose(0, 1), h_BTU, rtol=1e-12, atol=1e-13)
        total = (h_BTU.transpose(0, 1) * weight[s]).sum()
        expected = torch.autograd.grad(total, [x_TBD, *weights])
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours[s], theirs, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_a_network_full_of_nan_does_not_touch_the_others(cell: str) -> None:
    given = inputs(cell)
    clean = torch.autograd.grad(stacked_layer(cell, given[0], given[1:]).sum(), given)
    with torch.no_grad():
        given[2][1].fill_(float("nan"))
    h_STBU = stacked_layer(cell, given[0], given[1:])
    spoilt = torch.autograd.grad(h_STBU.sum(), given)
    assert not h_STBU[1, 1:].isfinite().any()
    for a, b in zip(clean, spoilt, strict=True):
        assert torch.equal(a[[0, 2]], b[[0, 2]])


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_kernels_on_the_processor_agree_with_batched_products(cell: str, directions: int) -> None:
    x_STBD, *own = inputs(cell)
    given = [x_STBD, *own, *(w.detach().flip(0).requires_grad_() for w in own if directions == 2)]
    single = [x.detach().float().requires_grad_() for x in given]
    exact, ours = batched_layer(cell, given[0], given[1:]), stacked_layer(cell, single[0], single[1:])
    torch.testing.assert_close(ours.double(), exact, rtol=1e-5, atol=1e-5)
    assert not torch.equal(ours, batched_layer(cell, single[0], single[1:]))  # another way was taken
    weight = torch.randn(exact.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = torch.autograd.grad((exact * weight).sum(), given)
    for a, b in zip(torch.autograd.grad((ours * weight.float()).sum(), single), expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-4)

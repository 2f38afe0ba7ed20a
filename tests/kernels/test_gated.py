"""minGRU and minLSTM by the fused kernels give what the readable cells give; what does not fit, the loop does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from linewise.kernels import mingru, recurrent_layer
from linewise.kernels.cell import TwoDirections
from linewise.kernels.fused import gated
from linewise.kernels.mingru import MinGRU, MinLSTM

CELLS = {"mingru": MinGRU, "minlstm": MinLSTM}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@given(
    name=st.sampled_from(list(CELLS)),
    shape=st.tuples(st.integers(1, 7), st.integers(1, 20), st.integers(1, 35)),
    units=st.integers(1, 70),
    threads=st.integers(1, 2),
)
@settings(deadline=None, max_examples=40)
def test_values_and_gradients_are_those_of_the_readable_cell(
    name: str, shape: tuple[int, int, int], units: int, threads: int
) -> None:
    torch.set_num_threads(threads)
    cell = CELLS[name](shape[2], units)
    x_TBD = torch.randn(shape, requires_grad=True)
    waves_TBU = torch.sin(torch.arange(shape[0] * shape[1] * units)).view(*shape[:2], units)
    h_TBU = gated.read(name, [cell.weight, cell.bias], x_TBD, units)
    assert h_TBU is not None
    found = [h_TBU, *torch.autograd.grad((h_TBU * waves_TBU).sum(), [x_TBD, cell.weight, cell.bias])]
    exact = CELLS[name](shape[2], units).double()
    exact.load_state_dict(cell.state_dict())
    x = x_TBD.detach().double().requires_grad_()
    wanted_TBU = exact.reference(x)
    wanted = [wanted_TBU, *torch.autograd.grad((wanted_TBU * waves_TBU).sum(), [x, exact.weight, exact.bias])]
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=3e-6 * (1 + b.detach().abs().max().item()))
    with torch.no_grad():
        assert torch.equal(cell(x_TBD)[0], h_TBU)


def test_shut_gates_share_evenly() -> None:
    """Both logits far below zero: their difference alone counts, as in the loop."""
    cell = MinLSTM(1, 3)
    with torch.no_grad():
        cell.weight.zero_()
        cell.bias.copy_(torch.tensor([-60.0, -60, -60, -60, -61, -50, 1, 1, 1]))
        x_TBD = torch.zeros(1, 1, 1)
        torch.testing.assert_close(cell(x_TBD)[0], cell.reference(x_TBD), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(
            cell(x_TBD)[0].flatten(), torch.sigmoid(torch.tensor([0.0, -1, 10])), rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize("name", list(CELLS))
def test_two_directions_are_two_cells(name: str) -> None:
    both = recurrent_layer(name, 6, 5, bidirectional=True)
    assert isinstance(both, TwoDirections)
    x_TBD = torch.randn(4, 9, 6)
    apart_TBU = torch.cat([both.ahead.reference(x_TBD), both.back.reference(x_TBD.flip(0)).flip(0)], dim=2)
    torch.testing.assert_close(both(x_TBD)[0], apart_TBU, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", list(CELLS))
def test_what_does_not_fit_is_left_to_the_loop(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gated, "fused_cells", None)  # calling it would raise
    cell = CELLS[name](3, 4).double()
    x_TBD = torch.randn(5, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(cell(x_TBD)[0], cell.reference(x_TBD))
    with torch.device("meta"):
        assert CELLS[name](3, 4)(torch.randn(5, 2, 3))[0].shape == (5, 2, 4)


def test_without_kernels_the_loop_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    cell, x_TBD = MinGRU(3, 4), torch.randn(5, 2, 3)
    wanted_TBU = cell(x_TBD)[0]

    def nothing(*_: object) -> Tensor | None:
        return None

    monkeypatch.setattr(mingru, "read", nothing)
    torch.testing.assert_close(cell(x_TBD)[0], wanted_TBU, rtol=1e-5, atol=1e-6)

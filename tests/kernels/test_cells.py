"""Our cells: the fast form and the readable one are the same function with the same gradient."""

from __future__ import annotations

import pytest
import torch

from linewise.kernels import CELLS, Cell, recurrent_layer
from linewise.kernels.lru import LRU, RGLRU
from linewise.kernels.mingru import MinGRU, MinLSTM
from linewise.kernels.mlstm import MLSTM
from linewise.kernels.scan import linear_scan


def double_cell(name: str, num_inputs: int, **options: int) -> Cell:
    torch.manual_seed(0)
    cell = {"mingru": MinGRU, "minlstm": MinLSTM, "lru": LRU, "rglru": RGLRU, "mlstm": MLSTM}[name]
    made = cell(num_inputs, 4, **options).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return made


MADE = [(name, {}) for name in CELLS] + [("mlstm", {"heads": 2, "chunk": c}) for c in (1, 3, 8, 99)]


@pytest.mark.parametrize(("name", "options"), MADE)
@pytest.mark.parametrize("num_inputs", [3, 4])
def test_fast_and_readable_agree_in_value_and_gradient(name: str, options: dict, num_inputs: int) -> None:
    cell = double_cell(name, num_inputs, **options)
    x_TBD = torch.randn(11, 2, num_inputs, dtype=torch.float64, requires_grad=True)
    fast, slow = cell(x_TBD)[0], cell.reference(x_TBD)
    torch.testing.assert_close(fast, slow, rtol=1e-11, atol=1e-12)
    inputs = [x_TBD, *cell.parameters()]
    cotangent = torch.randn_like(fast)
    for a, b in zip(
        torch.autograd.grad(fast, inputs, cotangent), torch.autograd.grad(slow, inputs, cotangent), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("name", "options"), MADE)
def test_gradients_agree_with_finite_differences(name: str, options: dict) -> None:
    cell = double_cell(name, 3, **options)
    x_TBD = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, *_: cell(x)[0], (x_TBD, *cell.parameters()))


@pytest.mark.parametrize("name", list(CELLS))
def test_long_sequences_stay_finite_and_forms_agree_in_single_precision(name: str) -> None:
    torch.manual_seed(1)
    cell = CELLS[name](2, 8)
    x_TBD = 3 * torch.randn(784, 2, 2)
    fast, slow = cell(x_TBD)[0], cell.reference(x_TBD)
    assert torch.isfinite(fast).all()
    torch.testing.assert_close(fast, slow, rtol=2e-4, atol=2e-4)
    fast.square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in cell.parameters())


def test_scan_is_the_sum_that_its_definition_unrolls_to() -> None:
    a_U, b_TBU = torch.rand(3, dtype=torch.float64), torch.randn(6, 2, 3, dtype=torch.float64)
    by_hand = sum(a_U ** (5 - s) * b_TBU[s] for s in range(6))
    torch.testing.assert_close(linear_scan(a_U, b_TBU)[-1], by_hand)


def test_minlstm_gates_share_one() -> None:
    """With equal inputs, i/(f + i) + f/(f + i) = 1 keeps a constant candidate's state below it."""
    cell = double_cell("minlstm", 3)
    with torch.no_grad():
        cell.weight[8:] = 0  # type: ignore[index]
        cell.bias[8:] = 2.5  # type: ignore[index]
    h_TBU = cell(torch.randn(200, 1, 3, dtype=torch.float64))[0]
    assert (h_TBU.diff(dim=0) >= -1e-12).all()
    assert (h_TBU < 2.5 + 1e-9).all()


@pytest.mark.parametrize(("forget", "input_"), [(-70.0, -80.0), (-120.0, -110.0), (-300.0, 5.0), (5.0, -300.0)])
def test_minlstm_divides_shut_gates_too(forget: float, input_: float) -> None:
    """i/(f + i) of two sigmoids near 0 is the sigmoid of the difference of their logits."""
    cell = MinLSTM(1, 1)
    with torch.no_grad():
        cell.weight.zero_()
        cell.bias.copy_(torch.tensor([forget, input_, 1.0]))
    expected = torch.sigmoid(torch.tensor(min(input_, 0.0) - min(forget, 0.0)))
    x_TBD = torch.zeros(1, 1, 1)
    for h_TBU in (cell(x_TBD)[0], cell.reference(x_TBD)):
        torch.testing.assert_close(
            h_TBU.flatten()[0], expected, rtol=1e-2 if min(forget, input_) < -200 else 1e-5, atol=1e-6
        )


@pytest.mark.parametrize("push", [-30.0, 0.0, 30.0])
def test_no_parameter_makes_a_decay_of_one_or_more(push: float) -> None:
    lru = double_cell("lru", 3)
    assert isinstance(lru, LRU)
    with torch.no_grad():
        lru.log_nu.add_(push)
    assert (lru.decay().abs() <= 1).all()
    rglru = double_cell("rglru", 3)
    assert isinstance(rglru, RGLRU)
    with torch.no_grad():
        rglru.rate.add_(push)
    a, _ = rglru._gates(torch.randn(9, 2, 3, dtype=torch.float64))
    assert ((a >= 0) & (a <= 1)).all()


def test_two_directions_are_one_cell_ahead_and_one_back() -> None:
    torch.manual_seed(0)
    both = recurrent_layer("mingru", 3, 4, bidirectional=True)
    x_TBD = torch.randn(7, 2, 3)
    ahead, back = both(x_TBD)[0].chunk(2, dim=2)
    torch.testing.assert_close(ahead, both.ahead.reference(x_TBD))  # type: ignore[union-attr, operator]
    torch.testing.assert_close(back, both.back.reference(x_TBD.flip(0)).flip(0))  # type: ignore[union-attr, operator]


def test_the_irnn_starts_as_the_identity() -> None:
    layer = recurrent_layer("irnn", 1, 5)
    assert torch.equal(layer.weight_hh_l0, torch.eye(5))  # type: ignore[union-attr]
    x_TBD = torch.zeros(4, 1, 1)
    x_TBD[0] = 1
    h_TBU = layer(x_TBD)[0]
    assert torch.equal(h_TBU[-1], h_TBU[0])  # what was seen once is kept


def test_heads_must_share_the_units() -> None:
    with pytest.raises(ValueError, match="7 hidden units cannot be shared by 2 heads"):
        MLSTM(3, 7, heads=2)

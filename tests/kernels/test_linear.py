"""The linear layer by oneDNN gives torch's values and gradients; what it cannot do, torch does."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from linewise.kernels import linear as module
from linewise.kernels.linear import Linear, linear


def has_operation() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """On every processor and for the smallest products."""
    monkeypatch.setattr(module, "pays", has_operation)
    monkeypatch.setattr(module, "SMALL", 0)


def everything(f, x: Tensor, weight: Tensor, bias: Tensor | None) -> list[Tensor]:
    inputs = [t.detach().clone().requires_grad_() for t in (x, weight, bias) if t is not None]
    y = f(*inputs, *([None] if bias is None else []))
    return [y, *torch.autograd.grad((y * torch.sin(torch.arange(y.numel()).view_as(y))).sum(), inputs)]


@given(
    shape=st.lists(st.integers(1, 7), min_size=1, max_size=3), inputs=st.integers(1, 70),
    outputs=st.integers(1, 70), biased=st.booleans(), turned=st.booleans(),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_values_and_gradients_are_torchs(
    shape: list[int], inputs: int, outputs: int, biased: bool, turned: bool
) -> None:
    x = torch.randn(inputs, *shape).movedim(0, -1) if turned else torch.randn(*shape, inputs)
    weight, bias = torch.randn(outputs, inputs), torch.randn(outputs) if biased else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "pays", has_operation)
        patch.setattr(module, "SMALL", 0)
        found = everything(linear, x, weight, bias)
    if has_operation():
        assert type(found[0].grad_fn).__name__ == "_LinearBackward"
    exact = everything(F.linear, x.double(), weight.double(), None if bias is None else bias.double())
    for a, b in zip(found, exact, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-4)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float32])
def test_what_it_cannot_do_is_left_to_torch(dtype: torch.dtype) -> None:
    ours, theirs = Linear(5, 4, dtype=dtype), nn.Linear(5, 4, dtype=dtype)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(3 if dtype != torch.float32 else 0, 5, dtype=dtype)
    found = ours(x)
    assert torch.equal(found, theirs(x))
    assert "_Linear" not in type(found.grad_fn).__name__
    with pytest.raises(RuntimeError, match="shapes"):
        ours(torch.randn(3, 6, dtype=dtype))


@pytest.mark.usefixtures("always")
def test_transforms_see_torchs_way() -> None:
    layer = Linear(5, 4)
    jacobian_E3D = torch.func.jacrev(lambda x: layer(x).sum(0))(torch.randn(3, 5))
    assert torch.equal(jacobian_E3D[:, 1], layer.weight.detach())


def test_small_products_and_other_processors_keep_torchs_way(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Linear(5, 4)
    assert type(layer(torch.randn(2, 5)).grad_fn).__name__ == "AddmmBackward0"
    monkeypatch.setattr(module, "pays", lambda: False)
    big = Linear(300, 300)
    assert type(big(torch.randn(300, 300)).grad_fn).__name__ == "AddmmBackward0"


@pytest.mark.usefixtures("always")
def test_a_second_derivative_is_refused_and_the_same_call_repeats_to_the_bit() -> None:
    layer = Linear(50, 40)
    x = torch.randn(30, 50, requires_grad=True)
    first, again = (everything(linear, x, layer.weight, layer.bias) for _ in "ab")
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    if has_operation():
        (gradient,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
        with pytest.raises(RuntimeError, match="differentiate twice"):
            gradient.sum().backward()

"""The readable cells and torch's layers are the same function with the same gradient."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from linewise.kernels import recurrent_layer
from linewise.kernels.reference import run

CELLS = ["rnn", "irnn", "lstm", "gru"]


def double_layer(cell: str, bidirectional: bool) -> nn.RNNBase:
    torch.manual_seed(0)
    layer = recurrent_layer(cell, 3, 4, bidirectional=bidirectional).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return layer


def weights(layer: nn.RNNBase, suffix: str) -> list[torch.Tensor]:
    return [getattr(layer, f"{kind}_l0{suffix}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_values_and_gradients_agree_with_torch(cell: str, bidirectional: bool) -> None:
    layer = double_layer(cell, bidirectional)
    x_BTD = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    ours = run(cell, x_BTD, *weights(layer, ""))
    if bidirectional:
        ours = torch.cat([ours, run(cell, x_BTD, *weights(layer, "_reverse"), reverse=True)], dim=2)
    theirs = layer(x_BTD.transpose(0, 1))[0].transpose(0, 1)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    inputs = [x_BTD, *layer.parameters()]
    cotangent = torch.randn_like(theirs)
    for a, b in zip(
        torch.autograd.grad(ours, inputs, cotangent), torch.autograd.grad(theirs, inputs, cotangent), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_agree_with_finite_differences(cell: str) -> None:
    layer = double_layer(cell, False)
    x_BTD = torch.randn(1, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, *w: run(cell, x, *w), (x_BTD, *weights(layer, "")))


def test_the_forget_gate_starts_open_and_recurrent_weights_are_orthogonal() -> None:
    layer = recurrent_layer("lstm", 7, 5)
    bias = layer.bias_ih_l0 + layer.bias_hh_l0
    assert bias[5:10].tolist() == [1.0] * 5
    assert bias[:5].abs().sum() + bias[10:].abs().sum() == 0
    for gate in layer.weight_hh_l0.detach().chunk(4):
        torch.testing.assert_close(gate @ gate.T, torch.eye(5), atol=1e-5, rtol=0)

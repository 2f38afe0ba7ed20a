"""Costs against closed forms written out here, and against real networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from linewise.models import cost, create_model, list_models
from linewise.models.cost import macs_of
from linewise.models.create import create_on_meta
from linewise.models.network import NETWORKS, Entry, Network

GATES = {"rnn": 1, "gru": 3, "lstm": 4}


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_recurrent_cost_is_the_textbook_formula(cell: str, two: bool, layers: int) -> None:
    height, width, channels, units, classes = 11, 7, 3, 9, 4
    name = f"bi{cell}" if two else cell
    network = create_model(
        name, num_classes=classes, in_chans=channels, img_size=(height, width), hidden=units, layers=layers
    )
    gates, directions = GATES[cell], 2 if two else 1
    parameters = macs = 0
    inputs = width * channels
    for _ in range(layers):
        parameters += directions * gates * (units * inputs + units**2 + 2 * units)
        macs += directions * gates * height * units * (inputs + units)
        inputs = directions * units
    parameters += classes * inputs + classes
    macs += classes * inputs
    found = cost(network)
    assert (found.parameters, found.macs) == (parameters, macs)
    assert found.parameters == sum(p.numel() for p in network.parameters())
    assert found.sequential_depth == layers * height + 1


def test_two_readers_side_by_side_wait_for_the_longer_one_only() -> None:
    one = cost(create_model("lstm", num_classes=2, img_size=(20, 12), hidden=8))
    two = cost(create_model("lstm", num_classes=2, img_size=(20, 12), hidden=8, reading="rows+columns"))
    assert (one.sequential_depth, two.sequential_depth) == (21, 21)
    columns = 4 * 12 * 8 * (20 + 8) + 2 * 8
    assert two.macs == one.macs + columns


def test_convolutional_cost_by_hand() -> None:
    found = cost(create_model("cnn", num_classes=10, img_size=(28, 28), stem=4, middle=8, last=16))
    macs = 28 * 28 * 9 * 4 + 14 * 14 * 9 * 4 * 8 + 7 * 7 * 9 * 8 * 16 + 16 * 10
    assert found.macs == macs
    assert found.parameters == 9 * 4 + 9 * 4 * 8 + 9 * 8 * 16 + 2 * (4 + 8 + 16) + 16 * 10 + 10
    assert found.sequential_depth == 4


def test_activation_memory_of_an_mlp_by_hand() -> None:
    """Kept for backward: the pixels, the hidden layer after ReLU (shared by ReLU and the next product)."""
    found = cost(create_model("mlp", num_classes=3, img_size=(5, 4), hidden=6))
    assert found.activation_bytes == 4 * (20 + 6)


@pytest.mark.parametrize("name", list_models())
def test_the_quick_count_equals_the_checked_one(name: str) -> None:
    network = create_model(name, num_classes=5, in_chans=3, img_size=(9, 6))
    assert macs_of(network.config) == cost(network).macs


@pytest.mark.parametrize("name", ["bilstm", "cnn"])
def test_activation_memory_grows_with_the_batch_as_measured(name: str) -> None:
    """The figure is per image: what autograd really keeps for 4 images is 4 times as much."""
    network = create_model(name, num_classes=5, img_size=(12, 10))
    ghost, kept = create_on_meta(network.config), {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, nn.Parameter):
            kept[tensor.untyped_storage()._cdata] = tensor.untyped_storage()
        return tensor

    for p in ghost.parameters():
        kept[p.untyped_storage()._cdata] = None
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        ghost(torch.zeros(4, 1, 12, 10, device="meta"))
    parameters = {p.untyped_storage()._cdata for p in ghost.parameters()}
    total = sum(s.nbytes() for key, s in kept.items() if key not in parameters and s is not None)
    constant = total - 4 * cost(network).activation_bytes
    assert 0 <= abs(constant) < 0.05 * total  # batch norm keeps its statistics once per batch


def test_a_layer_without_a_closed_form_is_refused_not_counted_as_zero() -> None:
    class Odd(Network):
        def __init__(self, *, num_classes: int, in_chans: int = 1, img_size: tuple[int, int] = (8, 8)) -> None:
            super().__init__()
            self.bilinear = nn.Bilinear(64, 64, num_classes)

        def forward_features(self, x_BCHW: torch.Tensor) -> torch.Tensor:
            return x_BCHW.flatten(1)

        def forward_head(self, features: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:  # type: ignore[override]
            return self.bilinear(features, features)

    NETWORKS.add("odd", Entry("control", Odd, "for this test"))
    try:
        with pytest.raises(TypeError, match="no closed form for the cost of Bilinear"):
            cost(create_model("odd", num_classes=2, img_size=(8, 8)))
    finally:
        del NETWORKS._entries["odd"]

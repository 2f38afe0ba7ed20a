"""Costs against closed forms written out here, and against real networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from linewise.models import cost, create_model, list_models, measured
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


MORE = ("sequencer2d_m", "sequencer2d_l", "sequencer1d_s")


@pytest.mark.parametrize(
    "name",
    [
        # as sequencer2d_s and sequencer1d_nano, with more blocks
        pytest.param(name, marks=pytest.mark.long if name.startswith(MORE) else [])
        for name in list_models()
        if name != "timm"
    ],
)
def test_the_quick_count_equals_the_checked_one(name: str) -> None:
    scale = NETWORKS[name].scale
    sizes = scale(8, {}) if scale else {}
    network = create_model(name, num_classes=5, in_chans=3, img_size=(28, 56), **sizes)
    assert macs_of(network.config) == cost(network).macs


@pytest.mark.parametrize("name", ["lstm", "lru", "cnn", "vit"])
def test_costs_do_not_depend_on_what_the_caller_has_switched_off(name: str) -> None:
    network = create_model(name, num_classes=3)
    expected = cost(network)
    for switched in (torch.no_grad(), torch.inference_mode()):
        with switched:
            assert cost(network) == expected
    torch.set_default_dtype(torch.float64)
    try:
        assert cost(network) == expected
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_what_is_kept_once_per_batch_is_no_images() -> None:
    """Kept by torch for a real batch of 5 less that of 4 is what one image costs."""
    network = create_model("lru", num_classes=3, img_size=(9, 6), hidden=7, layers=1)
    kept = []
    for batch in (4, 5):
        meter = measured.Measured(network)
        with meter.watch(network):
            network(torch.rand(batch, 1, 9, 6))
        kept.append(meter.saved_bytes)
    assert cost(network).activation_bytes == kept[1] - kept[0]
    assert kept[0] > 4 * (kept[1] - kept[0])


def test_readouts_side_by_side_count_once() -> None:
    one, two = (
        create_model("lstm", num_classes=2, readout="attention", reading=r) for r in ("rows", "rows+columns")
    )
    assert cost(one).sequential_depth == cost(two).sequential_depth == 28 + 1 + 1


def test_attention_and_mixing_cost_by_hand() -> None:
    t, c, k = 49, 12, 10
    found = cost(create_model("vit", num_classes=k, channels=c, mlp=20, layers=1, heads=4))
    assert found.macs == t * 16 * c + t * 4 * c**2 + 2 * t**2 * c + 2 * t * c * 20 + c * k
    assert found.sequential_depth == 1 + 1 + 2 + 1 + 2 + 1
    found = cost(create_model("mixer", num_classes=k, channels=c, mlp=20, tokens=7, layers=1))
    assert found.macs == t * 16 * c + 2 * c * t * 7 + 2 * t * c * 20 + c * k


def test_resnet_8_has_eight_layers_and_its_published_shape() -> None:
    found = cost(create_model("resnet", num_classes=10, in_chans=3, img_size=(32, 32)))
    assert found.sequential_depth == 8  # shortcuts run beside
    assert cost(create_model("resnet", num_classes=10, img_size=(32, 32), blocks=3)).sequential_depth == 20


@pytest.mark.parametrize(
    ("cell", "per_step"),
    [("mingru", 2 * 9 * 5), ("minlstm", 3 * 9 * 5), ("rglru", 3 * 9 * 5), ("lru", 2 * 9 * (5 + 9))],
)
def test_linear_recurrences_cost_by_hand(cell: str, per_step: int) -> None:
    sizes = {"body": "plain", "layers": 1, "hidden": 9, "readout": "last"}
    found = cost(create_model(cell, num_classes=3, img_size=(11, 5), **sizes))
    assert found.macs == 11 * per_step + 9 * 3
    assert found.sequential_depth == 11 + 1


def test_the_mlstm_costs_its_chunks() -> None:
    sizes = {"body": "plain", "layers": 1, "hidden": 6, "readout": "last"}
    found = cost(create_model("mlstm", num_classes=3, img_size=(40, 5), **sizes))
    chunks = sum(n**2 * 6 + n**2 * 7 + 2 * n * 6 * 7 for n in (32, 8))
    assert found.macs == 40 * (4 * 6 + 2) * 5 + chunks + 6 * 3


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


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("lstm", {}),
        ("bigru", {"layers": 2}),
        ("irnn", {"reading": "rows+columns"}),
        ("lstm", {"body": "blocks", "layers": 2}),
        ("renet", {"patch": 1}),
    ],
)
def test_long_sequences_measured_short_cost_what_stepping_through_them_costs(
    name: str, sizes: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = create_model(name, num_classes=5, in_chans=3, img_size=(28, 20), **sizes)
    monkeypatch.setattr(measured, "LONG", 1000)
    stepped = cost(network)
    monkeypatch.setattr(measured, "LONG", 8)
    assert cost(network) == stepped


def test_nothing_is_kept_of_what_was_measured() -> None:
    """Each count left 132 tensors behind, and a server or a notebook makes many."""
    import gc
    import warnings

    def alive() -> int:
        gc.collect()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of deprecated objects that are looked at
            return sum(isinstance(found, torch.Tensor) for found in gc.get_objects())

    network = create_model("gru", num_classes=3, img_size=(8, 8), hidden=4)
    cost(network)
    before = alive()
    cost(network)
    assert alive() == before

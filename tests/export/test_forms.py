"""Every registered network, written and answered by ONNX Runtime."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from linewise.export.card import Form
from linewise.export.exporting import Checked
from linewise.export.forms import plan, takes_any_size, why_not
from linewise.export.parity import BATCHES, TOLERANCE
from linewise.foundations.errors import ConfigError
from linewise.models import create_model, list_models
from linewise.models.bridge import TimmNetwork
from linewise.models.network import NETWORKS
from linewise.models.recurrent.network import RecurrentNetwork
from linewise.models.saved import Saved
from tiny_exports import DEEP, exported, images, small

CLAIM = [name for name in list_models() if NETWORKS[name].build is not TimmNetwork]
READERS = [name for name in CLAIM if NETWORKS[name].build is RecurrentNetwork]
ONE_WAY = [name for name in READERS if not NETWORKS[name].fixed["bidirectional"]]


@cache
def standard(name: str, form: Form = "image") -> tuple[Saved, Checked]:
    """A registered network as it is tested, once."""
    saved = small(name)
    return saved, exported(saved, form, fixed_size=name.startswith(FIXED))


FIXED = (*DEEP, "sequencer2d_tiny")
"""Written for one size, which takes a third of the time; sequencer2d_nano is written for any."""

BOTH_WAYS = ("bimlstm", "birglru", "bimingru", "biminlstm")
"""As bilru, with cells that are written in one direction too."""

TINY = ("sequencer2d_tiny_pooling", "sequencer2d_tiny_identity")
"""Of the parts of sequencer2d_tiny and of nano with the same in place of the recurrence."""


def weighty(name: str) -> Any:
    """All are written by `make test-long`."""
    return pytest.param(name, marks=pytest.mark.long if name.startswith((*DEEP, *BOTH_WAYS, *TINY)) else [])


ANY_SIZE = {"majority": 1, "cnn": 1, "resnet": 1, "convnext": 4, "renet": 2}
"""Beside the Sequencers, which take multiples of their patches."""


def test_only_the_bridge_to_timm_claims_no_export() -> None:
    assert set(list_models()) - set(CLAIM) == {"timm"}
    assert len(CLAIM) >= 46
    assert not any(why_not(small(name).network) for name in CLAIM if not name.startswith(DEEP))


def test_a_network_of_timm_says_why_not() -> None:
    network = create_model("mlp", num_classes=2)
    network.counted_by_torch = True  # as TimmNetwork, which needs timm
    assert TimmNetwork.counted_by_torch
    with pytest.raises(ConfigError) as caught:
        plan(network, "image")
    assert str(caught.value) == (
        "mlp: networks of timm are not Linewise's to export\n  expected: one of Linewise's own networks"
    )


@pytest.mark.parametrize("name", [weighty(name) for name in CLAIM])
def test_answers_as_torch_does(name: str) -> None:
    saved, found = standard(name)
    card, session = found.model.card, found.model.session
    assert found.parity.difference <= TOLERANCE
    assert set(BATCHES) <= set(found.parity.batches)
    wanted = ANY_SIZE.get(name) or (4 if name.startswith("sequencer") and not name.startswith(FIXED) else None)
    assert (card.any_size.multiple if card.any_size else None) == wanted
    assert len(found.parity.sizes) == (4 if wanted else 1)
    side = saved.card.network.img_size[0]
    sides = ["height", "width"] if wanted else [side, side]
    assert session.get_inputs()[0].shape == ["batch", 1, *sides]
    # once more, from the outside: probabilities of a batch that was not compared
    images_NHWC = images(saved, 13)[5:]
    x_BCHW = torch.from_numpy(found.model.preprocessing.normalise(images_NHWC))
    with torch.no_grad():
        expected_NK = torch.softmax(saved.network(x_BCHW), dim=1).numpy()
    np.testing.assert_allclose(found.model.probabilities(images_NHWC), expected_NK, atol=1e-5)


def test_networks_that_read_both_ways_are_made_of_those_that_read_one_way() -> None:
    """What the exporter meets in those that are left to `make test-long`, it met in others."""

    def kinds(*names: str) -> set[type]:
        return {type(module) for name in names for module in small(name).network.modules()}

    for name in BOTH_WAYS:
        assert kinds(name) <= kinds("bilru", name.removeprefix("bi"))


@pytest.mark.parametrize("name", [name for name in CLAIM if name.startswith((*DEEP, *TINY))])
def test_deep_networks_are_made_of_the_parts_of_small_ones(name: str) -> None:
    """What the exporter meets in a deep Sequencer, it met in a small one."""

    def parts(name: str) -> set[tuple[type, type]]:
        modules = list(small(name).network.modules())
        return {(type(module), type(child)) for module in modules for child in module.children()}

    like = "sequencer1d_nano" if name == "sequencer1d_s" else re.sub("_([sml]|tiny)(?=_)", "_nano", name)
    like = re.sub("_[sml]$", "_tiny", like)
    assert like in CLAIM
    assert parts(name) <= parts(like) | parts("sequencer2d_tiny")  # it shrinks between stages


@pytest.mark.parametrize("name", ONE_WAY)
def test_each_step_answers_as_torch_does(name: str) -> None:
    saved, found = standard(name, "steps")
    x_BCHW = torch.from_numpy(found.model.preprocessing.normalise(images(saved, 5)))
    ours = found.model.run({"images": x_BCHW.numpy()})
    assert set(ours) == {"logits", "step_logits", "states"}
    assert isinstance(saved.network, RecurrentNetwork)
    with torch.no_grad():
        for t in range(8):  # the head of every prefix, one after another
            prefix_BTF = saved.network.forward_features(x_BCHW)[:, : t + 1]
            expected_BK = saved.network.forward_head(prefix_BTF).numpy()
            np.testing.assert_allclose(ours["step_logits"][:, t], expected_BK, atol=1e-4)
    np.testing.assert_allclose(ours["logits"], ours["step_logits"][:, -1], atol=1e-4)


@pytest.mark.parametrize("name", ONE_WAY)
def test_row_by_row_answers_as_torch_does(name: str) -> None:
    saved, found = standard(name, "row-by-row")
    assert found.parity.steps == tuple(range(1, 17))  # to the end of the image, and further
    images_NHWC = images(saved, 4)
    x_BCHW = torch.from_numpy(found.model.preprocessing.normalise(images_NHWC))
    with torch.no_grad():
        expected_NK = torch.softmax(saved.network(x_BCHW), dim=1).numpy()
    np.testing.assert_allclose(found.model.probabilities(images_NHWC), expected_NK, atol=1e-5)


SETTINGS: list[tuple[str, dict[str, Any], tuple[Form, ...]]] = [
    ("lstm", {"layers": 2, "readout": "max"}, ("steps", "row-by-row")),
    ("gru", {"readout": "attention", "reading": "rows+columns", "join": "mean"}, ("steps", "row-by-row")),
    ("rnn", {"readout": "last-mean", "reading": "rows5-stride2"}, ("steps", "row-by-row")),
    ("gru", {"body": "blocks", "reading": "rows-outwards"}, ("image", "row-by-row")),
    ("minlstm", {"reading": "pixels"}, ("image",)),
    ("bigru", {"readout": "last"}, ("image",)),
    ("renet", {"pooling": "flat", "cell": "mingru", "layers": 1}, ("image",)),
    ("sequencer2d_nano", {"directions": 1, "cell": "mingru", "union": "add"}, ("image",)),
]


@pytest.mark.parametrize(("name", "sizes", "forms"), SETTINGS, ids=lambda value: str(value)[:30])
def test_settings(name: str, sizes: dict[str, Any], forms: tuple[Form, ...]) -> None:
    saved = small(name, channels=3, **sizes)
    for form in forms:
        found = exported(saved, form)
        assert found.parity.difference <= TOLERANCE
        assert found.model.card.any_size is None  # linear recurrences over a grid keep its size


def test_two_directions_have_no_steps() -> None:
    with pytest.raises(ConfigError, match="reads in two directions, so it has no answer before its end"):
        plan(small("bilstm").network, "row-by-row")
    with pytest.raises(ConfigError, match="cnn does not read step by step"):
        plan(small("cnn").network, "steps")


def test_a_size_that_is_fixed_on_request() -> None:
    saved = small("cnn")
    assert takes_any_size(saved.network) is not None
    found = exported(saved, fixed_size=True)
    assert found.model.session.get_inputs()[0].shape == ["batch", 1, 8, 8]
    assert found.model.card.any_size is None


def test_export_leaves_the_network_as_it_was() -> None:
    """Readings remember their orders; an exporter's first call would leave one without numbers."""
    network = create_model("gru", num_classes=2, img_size=(6, 9), hidden=3, reading="spiral-in").eval()
    x_BCHW = torch.rand(2, 1, 6, 9)
    from linewise.export.graph import write_graph

    write_graph(plan(network, "image"))
    fresh = create_model("gru", num_classes=2, img_size=(6, 9), hidden=3, reading="spiral-in").eval()
    fresh.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert torch.equal(network(x_BCHW), fresh(x_BCHW))
        assert type(network(x_BCHW)) is torch.Tensor


def test_recurrent_layers_are_the_operators_of_onnx() -> None:
    import onnx

    for name, operator in (("lstm", "LSTM"), ("bigru", "GRU"), ("rnn", "RNN"), ("irnn", "RNN")):
        model = onnx.load_from_string(standard(name)[1].data)
        onnx.checker.check_model(model, full_check=True)
        kinds = [node.op_type for node in model.graph.node]
        assert kinds.count(operator) == 1, kinds
        assert "Loop" not in kinds
        assert "Scan" not in kinds

"""Every registered network, written and answered by ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_exports import DEEP, exported, images, small

from linewise.export.forms import plan, takes_any_size, why_not
from linewise.export.parity import BATCHES, TOLERANCE
from linewise.foundations.errors import ConfigError
from linewise.models import create_model, list_models
from linewise.models.bridge import TimmNetwork
from linewise.models.network import NETWORKS
from linewise.models.recurrent.network import RecurrentNetwork

CLAIM = [name for name in list_models() if NETWORKS[name].build is not TimmNetwork]
READERS = [name for name in CLAIM if NETWORKS[name].build is RecurrentNetwork]
ONE_WAY = [name for name in READERS if not NETWORKS[name].fixed["bidirectional"]]
ANY_SIZE = {"majority": 1, "cnn": 1, "resnet": 1, "convnext": 4, "renet": 2}
"""Beside the Sequencers, which take multiples of their patches."""


def test_only_the_bridge_to_timm_claims_no_export() -> None:
    assert set(list_models()) - set(CLAIM) == {"timm"}
    assert len(CLAIM) >= 46
    assert not any(why_not(small(name).network) for name in CLAIM)


def test_a_network_of_timm_says_why_not() -> None:
    network = create_model("mlp", num_classes=2)
    network.counted_by_torch = True  # as TimmNetwork, which needs timm
    assert TimmNetwork.counted_by_torch
    with pytest.raises(ConfigError) as caught:
        plan(network, "image")
    assert str(caught.value) == (
        "mlp: networks of timm are not Linewise's to export\n  expected: one of Linewise's own networks"
    )


@pytest.mark.parametrize("name", CLAIM)
def test_answers_as_torch_does(name: str) -> None:
    saved = small(name)
    deep = name.startswith(DEEP)
    found = exported(saved, fixed_size=deep)
    card, session = found.model.card, found.model.session
    assert found.parity.difference <= TOLERANCE
    assert set(BATCHES) <= set(found.parity.batches)
    wanted = ANY_SIZE.get(name) or (4 if name.startswith("sequencer") and not deep else None)
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


@pytest.mark.parametrize("name", ONE_WAY)
def test_each_step_answers_as_torch_does(name: str) -> None:
    saved = small(name)
    found = exported(saved, "steps")
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
    saved = small(name)
    found = exported(saved, "row-by-row")
    assert found.parity.steps == tuple(range(1, 17))  # to the end of the image, and further
    images_NHWC = images(saved, 4)
    x_BCHW = torch.from_numpy(found.model.preprocessing.normalise(images_NHWC))
    with torch.no_grad():
        expected_NK = torch.softmax(saved.network(x_BCHW), dim=1).numpy()
    np.testing.assert_allclose(found.model.probabilities(images_NHWC), expected_NK, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("lstm", {"layers": 2, "readout": "max"}),
        ("gru", {"readout": "attention", "reading": "rows+columns", "join": "mean"}),
        ("rnn", {"readout": "last-mean", "reading": "rows5-stride2"}),
        ("gru", {"body": "blocks", "reading": "rows-outwards"}),
        ("minlstm", {"readout": "attention", "reading": "pixels", "layers": 1}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)
def test_settings_of_readers_in_all_forms(name: str, sizes: dict) -> None:
    saved = small(name, channels=3, **sizes)
    for form in ("image", "steps", "row-by-row"):
        assert exported(saved, form).parity.difference <= TOLERANCE


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("bigru", {"readout": "last"}),
        ("renet", {"pooling": "flat"}),
        ("renet", {"pooling": "max", "cell": "lru"}),
        ("sequencer2d_nano", {"cell": "mingru", "layers": 1} | {"union": "add"}),
        ("sequencer2d_nano", {"directions": 1, "cell": "gru"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)
def test_settings_of_others(name: str, sizes: dict) -> None:
    sizes = {key: value for key, value in sizes.items() if key in NETWORKS[name].sizes()}
    saved = small(name, channels=3, **sizes)
    found = exported(saved)
    fixed = name == "bigru" or sizes.get("pooling") == "flat" or sizes.get("cell") in ("lru", "mingru")
    assert (found.model.card.any_size is None) == fixed


def test_two_directions_have_no_steps() -> None:
    with pytest.raises(ConfigError, match="reads in two directions, so it has no answer before its end"):
        plan(small("bilstm").network, "row-by-row")
    with pytest.raises(ConfigError, match="cnn does not read step by step"):
        plan(small("cnn").network, "steps")


def test_a_size_that_is_fixed_on_request() -> None:
    saved = small("resnet")
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
        model = onnx.load_from_string(exported(small(name)).data)
        onnx.checker.check_model(model, full_check=True)
        kinds = [node.op_type for node in model.graph.node]
        assert kinds.count(operator) == 1, kinds
        assert "Loop" not in kinds
        assert "Scan" not in kinds

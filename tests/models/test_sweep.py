"""Every registered network: forward, backward, learning, saving, cost, shapes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from linewise.foundations.errors import ConfigError
from linewise.models import create_model, list_models, specify
from linewise.models.network import NETWORKS
from linewise.models.saved import load_model, save_model

TRAINED = [name for name in list_models() if name != "majority"]
PREPROCESSING = {"mean": [0.5], "std": [0.25]}


@pytest.mark.parametrize("name", list_models())
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 14), (1, 1, 1), (3, 17, 5)])
def test_runs_on_any_shape_and_gives_every_weight_a_gradient(name: str, shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    channels, height, width = shape
    network = create_model(name, num_classes=4, in_chans=channels, img_size=(height, width))
    logits_BK = network(torch.randn(5, *shape))
    assert logits_BK.shape == (5, 4)
    if name != "majority":
        F.cross_entropy(logits_BK, torch.tensor([0, 1, 2, 3, 0])).backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize("name", TRAINED)
def test_learns_sixteen_images_by_heart(name: str) -> None:
    torch.manual_seed(0)
    network = create_model(name, num_classes=4, img_size=(8, 8))
    x_BCHW, y_B = torch.randn(16, 1, 8, 8), torch.arange(16) % 4
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(120):
        optimiser.zero_grad()
        F.cross_entropy(network(x_BCHW), y_B).backward()
        optimiser.step()
    assert (network.eval()(x_BCHW).argmax(1) == y_B).all()


@pytest.mark.parametrize("name", list_models())
def test_saved_and_loaded_answers_are_bit_equal(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = create_model(name, num_classes=3, img_size=(8, 6))
    x_BCHW = torch.randn(7, 1, 8, 6)
    network(x_BCHW)  # batch norm statistics move
    save_model(
        tmp_path, network, class_names=["a", "b", "猫"], preprocessing=PREPROCESSING, trained={}, version="0"
    )
    saved = load_model(tmp_path)
    assert torch.equal(saved.network(x_BCHW), network.eval()(x_BCHW))
    assert saved.card.class_names == ["a", "b", "猫"]
    assert saved.card.preprocessing == PREPROCESSING


@pytest.mark.parametrize("name", [n for n in list_models() if NETWORKS[n].scale])
@pytest.mark.parametrize("match", ["params", "macs"])
@pytest.mark.parametrize(("shape", "budget"), [((1, 28, 28), 80_000), ((3, 32, 20), 400_000)])
def test_the_width_solver_hits_the_budget(name: str, match: str, shape: tuple[int, int, int], budget: int) -> None:
    channels, *size = shape
    budget = budget * 20 if match == "macs" else budget
    spec = specify(
        name,
        {},
        num_classes=10,
        in_chans=channels,
        img_size=tuple(size),
        match=match,
        budget=budget,  # type: ignore[arg-type]
    )
    amount = spec.cost.parameters if match == "params" else spec.cost.macs
    network = create_model(name, num_classes=10, in_chans=channels, img_size=tuple(size), **spec.sizes)  # type: ignore[arg-type]
    assert spec.cost.parameters == sum(p.numel() for p in network.parameters())
    assert spec.miss == pytest.approx(amount / budget - 1)
    if abs(amount / budget - 1) > 0.01:  # the next whole number must be no nearer, and the note must say so
        assert "sizes are whole numbers" in spec.note
        for step in (-1, 1):
            other = specify(
                name,
                {k: v + step for k, v in spec.sizes.items()},
                num_classes=10,
                in_chans=channels,
                img_size=tuple(size),  # type: ignore[arg-type]
            )
            missed = (other.cost.parameters if match == "params" else other.cost.macs) / budget - 1
            assert abs(missed) >= abs(amount / budget - 1)


@pytest.mark.parametrize("name", list_models())
def test_head_and_features_are_the_whole_network(name: str) -> None:
    torch.manual_seed(0)
    network = create_model(name, num_classes=3, img_size=(8, 8)).eval()
    x_BCHW = torch.randn(2, 1, 8, 8)
    features = network.forward_features(x_BCHW)
    assert torch.equal(network.forward_head(features), network(x_BCHW))
    assert network.forward_head(features, pre_logits=True).shape == (2, network.num_features)
    network.reset_classifier(7)
    assert network(x_BCHW).shape == (2, 7)
    assert network.config.num_classes == 7


@pytest.mark.parametrize("name", [n for n in list_models() if n in ("rnn", "lstm", "gru")])
def test_what_was_read_so_far_decides_the_answer_so_far(name: str) -> None:
    torch.manual_seed(0)
    network = create_model(name, num_classes=3, img_size=(8, 8)).eval()
    assert network.answers_each_step
    x_BCHW = torch.randn(2, 1, 8, 8)
    changed = x_BCHW.clone()
    changed[:, :, 5:] = 0
    before, after = network.forward_features(x_BCHW), network.forward_features(changed)
    assert isinstance(before, torch.Tensor)
    assert isinstance(after, torch.Tensor)
    assert torch.equal(before[:, :5], after[:, :5])
    assert torch.equal(network.forward_head(before[:, :5]), network.forward_head(after[:, :5]))


def test_majority_answers_with_the_frequencies() -> None:
    network = create_model("majority", num_classes=3)
    network.observe_labels(torch.tensor([0, 1, 1, 1, 1, 2, 1]))
    probabilities_BK = torch.softmax(network(torch.randn(2, 1, 28, 28)), dim=1)
    torch.testing.assert_close(probabilities_BK[0], torch.tensor([0.2, 0.6, 0.2]))


@pytest.mark.parametrize(
    ("name", "sizes", "message"),
    [
        (
            "lsmt",
            {},
            "unknown model 'lsmt'\n  expected: one of bigru, bilstm, birnn, cnn, gru, linear, lstm, majority, mlp, rnn"
            "\n  to mend:  did you mean 'lstm' or 'bilstm'?",
        ),
        (
            "lstm",
            {"hiden": 3},
            "unknown size of lstm 'hiden'\n  expected: one of dropout, hidden, layers, reading, readout"
            "\n  to mend:  did you mean 'hidden'?",
        ),
        ("lstm", {"hidden": 0}, "lstm: hidden = 0\n  expected: a whole number from 1 to 16,777,216"),
        ("lstm", {"hidden": 1.5}, "lstm: hidden = 1.5\n  expected: a value like 128"),
        ("lstm", {"dropout": 1.0}, "lstm: dropout = 1.0\n  expected: a fraction from 0 to below 1"),
        ("lstm", {"readout": "middle"}, "unknown readout 'middle'\n  expected: one of auto, last, mean"),
    ],
)
def test_wrong_sizes_are_explained(name: str, sizes: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        create_model(name, num_classes=2, **sizes)
    assert str(caught.value) == message


def test_a_network_of_a_terabyte_is_refused_before_it_is_made() -> None:
    with pytest.raises(ConfigError, match=r"has [\d,]+ parameters and needs [\d,]+ GiB"):
        create_model("lstm", num_classes=2, hidden=300_000)


def test_images_of_another_shape_are_refused() -> None:
    network = create_model("lstm", num_classes=2, img_size=(28, 28))
    with pytest.raises(ConfigError, match=r"images of shape \(1, 27, 28\)"):
        network(torch.zeros(1, 1, 27, 28))

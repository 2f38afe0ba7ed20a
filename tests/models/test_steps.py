"""Answers after each step: those of every prefix, of no later pixel, and refused where there are none."""

from __future__ import annotations

import pytest
import torch

from linewise.foundations.errors import ConfigError
from linewise.models import create_model, list_models
from linewise.models.network import NETWORKS, Network

ALL = [name for name in list_models() if name != "timm"]
READOUTS = ["last", "mean", "max", "attention", "last-mean"]


def small(name: str, **sizes: object) -> Network:
    torch.manual_seed(0)
    scale = NETWORKS[name].scale
    network = create_model(name, num_classes=3, img_size=(8, 8), **{**(scale(8, {}) if scale else {}), **sizes})
    for readout in network.modules():  # a score that is zero would make attention a mean
        if type(readout).__name__ == "Attention":
            torch.nn.init.normal_(readout.score.weight)  # type: ignore[union-attr,arg-type]
    return network.eval()


CAUSAL = [
    name
    for name in ALL
    if NETWORKS[name].family == "recurrent"
    and create_model(name, num_classes=2, img_size=(28, 28)).answers_each_step
]
"""`test_sweep` says which these are."""


@pytest.mark.parametrize("name", CAUSAL)
@pytest.mark.parametrize("readout", READOUTS)
def test_an_answer_after_a_step_is_that_of_the_prefix(name: str, readout: str) -> None:
    network = small(name, readout=readout)
    x_BCHW = torch.randn(3, 1, 8, 8)
    logits_BTK = network.forward_steps(x_BCHW)
    h_BTF = network.forward_features(x_BCHW)
    assert isinstance(h_BTF, torch.Tensor)
    for t in range(8):
        torch.testing.assert_close(logits_BTK[:, t], network.forward_head(h_BTF[:, : t + 1]))
    torch.testing.assert_close(logits_BTK[:, -1], network(x_BCHW))


@pytest.mark.parametrize("name", CAUSAL)
@pytest.mark.parametrize("readout", READOUTS)
def test_later_pixels_change_no_earlier_answer(name: str, readout: str) -> None:
    network = small(name, readout=readout)
    x_BCHW = torch.randn(2, 1, 8, 8)
    before_BTK = network.forward_steps(x_BCHW)
    for row in range(8):
        changed = x_BCHW.clone()
        changed[:, :, row:] = 5 * torch.randn(2, 1, 8 - row, 8)
        after_BTK = network.forward_steps(changed)
        assert torch.equal(after_BTK[:, :row], before_BTK[:, :row])
        if readout != "max":  # the largest value may be an earlier one
            assert not torch.allclose(after_BTK[:, -1], before_BTK[:, -1])


@pytest.mark.parametrize("sizes", [{"join": "concat"}, {"join": "sum"}, {"join": "mean", "body": "blocks"}])
def test_readers_of_the_same_length_answer_together(sizes: dict[str, str]) -> None:
    network = small("gru", reading="rows+columns-reversed", readout="last-mean", layers=2, **sizes)
    x_BCHW = torch.randn(2, 1, 8, 8)
    states = network.forward_features(x_BCHW)
    logits_BTK = network.forward_steps(x_BCHW)
    for t in range(8):
        torch.testing.assert_close(logits_BTK[:, t], network.forward_head(tuple(h[:, : t + 1] for h in states)))


def test_an_attention_that_rises_steeply_forgets_nothing_it_should_keep() -> None:
    network = small("rnn", readout="attention")
    (readout,) = (m for m in network.modules() if type(m).__name__ == "Attention")
    h_BTF = torch.randn(1, 6, 8) * torch.tensor([1.0, 1, 1, 1, 1, 400])[None, :, None]
    for t in range(6):
        torch.testing.assert_close(readout.each_step(h_BTF)[:, t], readout(h_BTF[:, : t + 1]))  # type: ignore[operator]


@pytest.mark.parametrize("readout", READOUTS)
def test_each_step_has_the_gradient_of_the_prefixes(readout: str) -> None:
    network = small("lstm", readout=readout)
    x_BCHW, weight_BTK = torch.randn(2, 1, 8, 8), torch.randn(2, 8, 3)
    parameters = list(network.parameters())
    ours = torch.autograd.grad((network.forward_steps(x_BCHW) * weight_BTK).sum(), parameters, allow_unused=True)
    h_BTF = network.forward_features(x_BCHW)
    assert isinstance(h_BTF, torch.Tensor)
    prefixes = torch.stack([network.forward_head(h_BTF[:, : t + 1]) for t in range(8)], dim=1)
    theirs = torch.autograd.grad((prefixes * weight_BTK).sum(), parameters, allow_unused=True)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("name", "sizes", "why"),
    [
        ("bilstm", {}, "bilstm reads in two directions"),
        ("cnn", {}, "cnn does not read step by step"),
        ("renet", {}, "renet does not read step by step"),
        ("majority", {}, "majority does not read step by step"),
        ("lstm", {"reading": "rows+patches4"}, "lstm reads with different numbers of steps (rows 8, patches4 4)"),
    ],
)
def test_other_networks_say_why_they_have_no_answer_before_the_end(
    name: str, sizes: dict[str, str], why: str
) -> None:
    network = create_model(name, num_classes=3, img_size=(8, 8), **sizes)
    assert not network.answers_each_step
    with pytest.raises(ConfigError) as refused:
        network.forward_steps(torch.randn(1, 1, 8, 8))
    assert refused.value.found == f"{why}, so it has no answer before its end"
    assert refused.value.expected == "a network that reads in one direction, such as lstm or gru"

"""Seeds trained at once against the same seeds trained one by one."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from linewise.foundations.records import Epoch, Recipe
from linewise.foundations.seeds import stream
from linewise.images import SplitOptions, load
from linewise.images.batches import Batches
from linewise.models import Network, create_model
from linewise.training.evaluation import probabilities
from linewise.training.graph import WARM_UP, Again
from linewise.training.loop import Outcome, train
from linewise.training.stack import train_stacked, why_alone

RECIPE = Recipe(epochs=2, batch_size=32, lr=1e-2)
SEEDS = [0, 3, 11]
PLAIN = [("lstm", {}), ("gru", {}), ("rnn", {})]
SIZES = [
    ("bilstm", {"readout": "last-mean"}),
    ("bigru", {"layers": 2, "dropout": 0.2, "readout": "last"}),
    ("rnn", {"layers": 2, "dropout": 0.3, "readout": "max"}),
    ("lstm", {"reading": "rows+columns", "dropout": 0.2, "layers": 2}),
    ("gru", {"reading": "rows2+snake", "join": "sum"}),
]


@pytest.fixture(scope="module")
def digits() -> tuple[Batches, Batches]:
    images = load("digits", splits=SplitOptions(images=210))
    pre = images.record.preprocessing
    return tuple(
        Batches(part.images_NHWC, part.labels_N, pre["mean"], pre["std"])
        for part in (images.train, images.validation)
    )  # type: ignore[return-value]


def networks(name: str, sizes: dict, dtype: torch.dtype, seeds: list[int] = SEEDS) -> list[Network]:
    made = []
    for seed in seeds:
        torch.manual_seed(stream(seed, "weights"))
        made.append(create_model(name, num_classes=10, img_size=(8, 8), hidden=12, **sizes).to(dtype))
    return made


def both(
    digits: tuple[Batches, Batches], made: list[Network], recipe: Recipe, seeds: list[int] = SEEDS
) -> tuple[list[tuple[Network, Outcome]], list[tuple[Network, Outcome]]]:
    """The same networks trained one by one, and at once."""
    dtype = next(made[0].parameters()).dtype
    training, validation = (part.to("cpu", dtype) for part in digits)
    apart, together = copy.deepcopy(made), copy.deepcopy(made)
    alone = [train(net, training, validation, recipe, seed) for net, seed in zip(apart, seeds, strict=True)]
    at_once = train_stacked(together, training, validation, recipe, seeds)
    return list(zip(apart, alone, strict=True)), list(zip(together, at_once, strict=True))


def figures(epoch: Epoch) -> list[float]:
    return [v for k, v in epoch.model_dump().items() if k != "train_s"]


def compare(
    digits: tuple[Batches, Batches], name: str, sizes: dict, recipe: Recipe, dtype: torch.dtype, tolerance: float
) -> None:
    made = networks(name, sizes, dtype)
    assert why_alone(made[0], recipe) == ""
    images = digits[1].to("cpu", dtype)
    for (net, alone), (stacked, at_once), before in zip(*both(digits, made, recipe), made, strict=True):
        assert len(at_once.epochs) == recipe.epochs
        for a, b in zip(alone.epochs, at_once.epochs, strict=True):
            assert figures(a) == pytest.approx(figures(b), rel=tolerance, abs=tolerance)
        if dtype == torch.float64:
            np.testing.assert_array_equal(np.stack(alone.right), np.stack(at_once.right))
        np.testing.assert_allclose(probabilities(net, images), probabilities(stacked, images), atol=tolerance)
        for (name_, p), q, start in zip(
            net.named_parameters(), stacked.parameters(), before.parameters(), strict=True
        ):
            torch.testing.assert_close(p, q, rtol=tolerance, atol=tolerance, msg=lambda m, n=name_: f"{n}: {m}")
            assert not torch.equal(p, start)


@pytest.mark.parametrize(("name", "sizes"), PLAIN + SIZES)
def test_equals_separate_runs_in_float64(digits: tuple[Batches, Batches], name: str, sizes: dict) -> None:
    compare(digits, name, sizes, RECIPE, torch.float64, 1e-9)


@pytest.mark.parametrize(("name", "sizes"), PLAIN)
def test_equals_separate_runs_in_float32_within_rounding(
    digits: tuple[Batches, Batches], name: str, sizes: dict
) -> None:
    compare(digits, name, sizes, RECIPE.model_copy(update={"epochs": 1}), torch.float32, 2e-3)


@pytest.mark.parametrize(
    "change",
    [
        {"augment": {"shift": 1.0, "rotate": 10.0, "erase": 0.2}, "label_smoothing": 0.1},
        {"clip": 0.05, "weight_decay": 1.0},
        {"clip": 0.0, "batch_size": 23},
    ],
)
def test_recipes_act_on_each_seed_alone(digits: tuple[Batches, Batches], change: dict) -> None:
    compare(digits, "gru", {"dropout": 0.3}, RECIPE.model_copy(update=change), torch.float64, 1e-9)


@pytest.mark.parametrize(
    ("weight", "when"), [(4e307, "loss inf at step 2 of 14"), (2e307, "validation loss inf after epoch 1 of 2")]
)
def test_a_seed_that_diverges_is_told_as_in_its_own_run_and_harms_no_other(
    digits: tuple[Batches, Batches], weight: float, when: str
) -> None:
    made = networks("lstm", {}, torch.float64)
    with torch.no_grad():
        made[1].head.weight[3] = weight  # overflows once the states have grown
    apart, together = both(digits, made, RECIPE)
    (net, alone), (stacked, at_once) = apart[1], together[1]
    assert alone.diverged.startswith(when)
    assert at_once.diverged == alone.diverged
    assert [figures(e) for e in at_once.epochs] == [figures(e) for e in alone.epochs]
    for p, q in zip(net.parameters(), stacked.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-9)
    for place in (0, 2):
        assert together[place][1].diverged == ""
        for p, q in zip(apart[place][0].parameters(), together[place][0].parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-9)


def test_all_seeds_diverged_ends_it(digits: tuple[Batches, Batches]) -> None:
    made = networks("rnn", {}, torch.float32, [0, 1])
    for net in made:
        with torch.no_grad():
            net.head.bias.fill_(float("nan"))
    heard: list[int] = []
    outcomes = train_stacked(made, *digits, RECIPE, [0, 1], on_step=lambda step, steps: heard.append(step))
    assert [o.diverged for o in outcomes] == ["loss nan at step 1 of 14, learning rate 0.0004"] * 2
    assert heard == list(range(1, 8))


def test_the_stack_of_one_is_a_run(digits: tuple[Batches, Batches]) -> None:
    apart, together = both(digits, networks("gru", {}, torch.float64, [5]), RECIPE, [5])
    for p, q in zip(apart[0][0].parameters(), together[0][0].parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-9)


def test_steps_are_recorded_once_and_shares_add_up(digits: tuple[Batches, Batches]) -> None:
    recorder, told = Again(), []
    made = networks("rnn", {}, torch.float32)
    outcomes = train_stacked(
        made, *digits, RECIPE, SEEDS, on_epoch=lambda place, e: told.append((place, e.epoch)), recorder=recorder
    )
    assert recorder.work is not None
    assert WARM_UP < 7
    assert told == [(s, e) for e in (1, 2) for s in range(3)]
    assert len({o.train_s for o in outcomes}) == 1
    assert outcomes[0].train_s == pytest.approx(sum(e.train_s for e in outcomes[0].epochs))


@pytest.mark.parametrize(
    ("name", "sizes", "why"),
    [
        ("cnn", {}, "only rnn, birnn, lstm, bilstm, gru, bigru can be trained many at once"),
        ("irnn", {}, "only rnn, birnn, lstm, bilstm, gru, bigru can be trained many at once"),
        ("gru", {"body": "blocks"}, "residual blocks are trained one by one"),
        ("lstm", {"readout": "attention"}, "a readout by attention is trained one by one"),
        ("lstm", {}, ""),
    ],
)
def test_what_cannot_be_stacked_says_why(name: str, sizes: dict, why: str) -> None:
    net = create_model(name, num_classes=3, img_size=(8, 8), **sizes)
    assert why_alone(net, RECIPE) == why
    along = RECIPE.model_copy(update={"read_along": 0.5})
    assert why_alone(net, along) == "with --read-along, seeds are trained one by one"

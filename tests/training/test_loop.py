"""The trainer against a bare loop written out here, and what it does when things go wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from linewise.foundations.records import Epoch, Recipe
from linewise.foundations.seeds import stream
from linewise.images.batches import Batches
from linewise.models import Network, create_model
from linewise.training.loop import Outcome, train

RECIPE = Recipe(epochs=2, batch_size=16, lr=1e-2, label_smoothing=0.1)


def stripes(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy 6×6 images with a bright row whose position is the class."""
    rng = np.random.default_rng(seed)
    labels_N = np.arange(n) % 3
    images_NHWC = rng.integers(0, 120, (n, 6, 6, 1), dtype=np.uint8)
    images_NHWC[np.arange(n), 2 * labels_N] += 100
    return images_NHWC, labels_N


def batches(n: int = 70, seed: int = 0) -> Batches:
    return Batches(*stripes(n, seed), mean=[0.3], std=[0.2])


def network(name: str, seed: int = 0, **sizes: float) -> Network:
    torch.manual_seed(stream(seed, "weights"))
    return create_model(name, num_classes=3, img_size=(6, 6), **sizes)


def fit(name: str, seed: int, recipe: Recipe = RECIPE, **sizes: float) -> tuple[Network, Outcome]:
    net = network(name, seed, **sizes)
    return net, train(net, batches(), batches(30, 1), recipe, seed)


def equal(a: Network, b: Network) -> bool:
    return all(torch.equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize("name", ["lstm", "bigru", "cnn"])
def test_equals_a_bare_pytorch_loop_to_the_bit(name: str) -> None:
    ours, outcome = fit(name, 7, dropout=0.2)

    torch.manual_seed(stream(7, "weights"))
    bare = create_model(name, num_classes=3, img_size=(6, 6), dropout=0.2)
    images_NHWC, labels_N = stripes(70, 0)
    x_NCHW = torch.from_numpy(images_NHWC).permute(0, 3, 1, 2)
    y_N = torch.from_numpy(labels_N)
    weights = [p for p in bare.parameters() if p.ndim > 1]
    others = [p for p in bare.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": weights, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}],
        lr=1e-2, betas=(0.9, 0.99), fused=True,
    )  # fmt: skip
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=1e-2, total_steps=11, pct_start=0.25, cycle_momentum=False
    )
    order = torch.Generator().manual_seed(stream(7, "order"))
    torch.manual_seed(stream(7, "dropout"))
    scale, shift = 1 / (255 * torch.tensor([0.2])), -torch.tensor([0.3]) / torch.tensor([0.2])
    losses: list[float] = []
    bare.train()
    for _ in range(2):
        for chosen in torch.randperm(70, generator=order).split(16):
            x_BCHW = torch.addcmul(shift, x_NCHW[chosen].permute(0, 2, 3, 1).float(), scale).permute(0, 3, 1, 2)
            loss = F.cross_entropy(bare(x_BCHW), y_N[chosen], label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(bare.parameters(), 1.0, foreach=True)
            optimiser.step()
            schedule.step()
            losses.append(loss.item() * len(chosen))
    assert equal(ours, bare)
    assert outcome.epochs[-1].train_loss == sum(losses[5:]) / 70


@pytest.mark.parametrize("name", ["lstm", "cnn"])
def test_the_same_seed_repeats_and_another_differs(name: str) -> None:
    recipe = RECIPE.model_copy(update={"augment": {"shift": 1.0, "rotate": 10.0}})
    first, a = fit(name, 3, recipe, dropout=0.3)
    again, b = fit(name, 3, recipe, dropout=0.3)
    other, c = fit(name, 4, recipe, dropout=0.3)
    assert equal(first, again)
    assert [e.model_dump(exclude={"train_s"}) for e in a.epochs] == [
        e.model_dump(exclude={"train_s"}) for e in b.epochs
    ]
    assert not equal(first, other)
    assert a.epochs[0].train_loss != c.epochs[0].train_loss


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "bilstm", "cnn", "mlp", "linear"])
def test_learns_stripes(name: str) -> None:
    recipe = RECIPE.model_copy(update={"epochs": 12})
    _, outcome = fit(name, 0, recipe)
    assert outcome.epochs[-1].validation_accuracy > 0.9
    assert outcome.epochs[-1].train_loss < outcome.epochs[0].train_loss


def test_epoch_table_counts_what_it_says() -> None:
    heard: list[tuple[int, int]] = []
    epochs: list[Epoch] = []
    net = network("linear")
    outcome = train(
        net,
        batches(),
        batches(30, 1),
        RECIPE,
        0,
        on_step=lambda s, n: heard.append((s, n)),
        on_epoch=epochs.append,
    )
    assert heard == [(i, 10) for i in range(1, 11)]
    assert epochs == outcome.epochs
    assert [e.step for e in outcome.epochs] == [5, 10]
    x_BCHW, y_B = next(batches(30, 1).in_order(1000))
    with torch.inference_mode():
        logits_BK = net(x_BCHW)
    assert outcome.epochs[-1].validation_accuracy == (logits_BK.argmax(1) == y_B).float().mean().item() or (
        outcome.epochs[-1].validation_accuracy
        == pytest.approx((logits_BK.argmax(1) == y_B).double().mean().item())
    )
    assert outcome.epochs[-1].validation_loss == pytest.approx(F.cross_entropy(logits_BK, y_B).item(), rel=1e-5)


def test_a_loss_that_is_not_finite_stops_the_run_with_step_and_learning_rate() -> None:
    net = network("mlp")
    with torch.no_grad():
        net.head.weight.fill_(float("nan"))
    outcome = train(net, batches(), batches(30, 1), RECIPE, 0)
    assert outcome.epochs == []
    assert outcome.diverged == "loss nan at step 1 of 10, learning rate 0.0004"


@pytest.mark.parametrize("num_images", [2, 16, 20, 33, 50, 70, 90, 110])
def test_the_shortest_trainings_have_a_schedule_too(num_images: int) -> None:
    outcome = train(network("mlp"), batches(num_images), batches(6, 1), RECIPE.model_copy(update={"epochs": 1}), 0)
    assert len(outcome.epochs) == 1
    assert outcome.diverged == ""


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8, 30, 400])
def test_the_learning_rate_rises_to_its_peak_and_falls_to_almost_nothing(steps: int) -> None:
    from linewise.training.optimiser import make_optimiser

    optimiser, schedule = make_optimiser(network("linear"), RECIPE, steps)
    rates = []
    for _ in range(steps):
        rates.append(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()
    assert max(rates) <= RECIPE.lr
    assert all(rate > 0 for rate in rates)
    if steps >= 3:
        peak = rates.index(max(rates))
        assert rates[peak] > 0.9 * RECIPE.lr
        assert rates[: peak + 1] == sorted(rates[: peak + 1])
        assert rates[peak:] == sorted(rates[peak:], reverse=True)
    if steps >= 30:
        assert rates[-1] < 0.02 * RECIPE.lr


def test_a_linear_schedule_is_a_triangle() -> None:
    from linewise.training.optimiser import make_optimiser

    recipe = RECIPE.model_copy(update={"rise": 0.1, "fall": "linear"})
    optimiser, schedule = make_optimiser(network("linear"), recipe, 100)
    rates = []
    for _ in range(100):
        rates.append(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()
    knots = [0.0, 0.1 * 101 - 1, 100.0]  # steps of the start, the peak and the end, one after the last
    expected = np.interp(np.arange(100), knots, [recipe.lr / 25, recipe.lr, recipe.lr / 25e4])
    np.testing.assert_allclose(rates, expected, rtol=1e-9)


def test_betas_are_those_of_the_recipe() -> None:
    """Two steps of Adam's formulas by hand (Kingma & Ba 2015), without decay."""
    from linewise.training.optimiser import make_optimiser

    recipe = RECIPE.model_copy(update={"betas": (0.5, 0.75), "weight_decay": 0.0})
    net = network("linear")
    parameter = next(net.parameters())
    with torch.no_grad():
        parameter.zero_()
    optimiser, _ = make_optimiser(net, recipe, 10)
    lr, place, mean, square = optimiser.lr, 0.0, 0.0, 0.0
    for step, slope in enumerate((3.0, -1.0), start=1):
        parameter.grad = torch.full_like(parameter, slope)
        optimiser.step()
        mean, square = 0.5 * mean + 0.5 * slope, 0.75 * square + 0.25 * slope**2
        place -= lr * (mean / (1 - 0.5**step)) / (math.sqrt(square / (1 - 0.75**step)) + 1e-8)
    torch.testing.assert_close(parameter.detach(), torch.full_like(parameter, place))


def test_a_network_without_weights_is_evaluated_every_epoch() -> None:
    _, outcome = fit("majority", 0)
    assert [e.epoch for e in outcome.epochs] == [1, 2]
    assert outcome.epochs[0].validation_accuracy == pytest.approx(1 / 3, abs=0.01)

"""A recorded step against the plain one; the bookkeeping of recordings; CUDA where there is a device."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from torch import Tensor

from linewise.foundations.records import Recipe
from linewise.foundations.seeds import stream
from linewise.images import SplitOptions, load
from linewise.images.batches import Batches
from linewise.models import Network, create_model
from linewise.training.graph import WARM_UP, Again, Bound, Graph, Recorder
from linewise.training.loop import train
from linewise.training.optimiser import learning_rates, make_optimiser
from linewise.training.stack import train_stacked
from linewise.training.step import Plain, Recorded

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA tests left out: no CUDA device")
RECIPE = Recipe(epochs=2, batch_size=32, lr=1e-2, label_smoothing=0.1)


def digits(count: int = 210) -> tuple[Batches, Batches]:
    images = load("digits", splits=SplitOptions(images=count))
    pre = images.record.preprocessing
    parts = (images.train, images.validation)
    training, validation = (Batches(p.images_NHWC, p.labels_N, pre["mean"], pre["std"]) for p in parts)
    return training, validation


def network(name: str, seed: int = 0, **sizes: float) -> Network:
    torch.manual_seed(stream(seed, "weights"))
    return create_model(name, num_classes=10, img_size=(8, 8), **sizes)


@pytest.mark.parametrize("name", ["lstm", "bigru", "cnn", "mlp"])
def test_a_recorded_step_equals_the_plain_one(name: str) -> None:
    training, _ = digits()
    plain, recorded = network(name), network(name)
    steps = RECIPE.epochs * training.num_steps(RECIPE.batch_size)
    recorder = Again()
    takes = Plain(plain, RECIPE, steps), Recorded(recorded, RECIPE, steps, recorder)
    found = []
    for take in takes:
        order = torch.Generator().manual_seed(1)
        found.append([take(*b) for _ in range(RECIPE.epochs) for b in training.shuffled(RECIPE.batch_size, order)])
    assert len(found[0]) == steps == 14
    assert 210 % RECIPE.batch_size  # a smaller batch ends each pass
    for a, b in zip(*found, strict=True):
        assert (b.loss, b.answer_loss, b.num_right) == pytest.approx(
            (a.loss, a.answer_loss, a.num_right), rel=1e-5
        )
        assert a.lr == b.lr
    assert recorder.work is not None
    for p, q in zip(plain.state_dict().values(), recorded.state_dict().values(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


def test_a_recorded_step_whose_loss_is_not_finite_changes_no_weight() -> None:
    net = network("mlp")
    take = Recorded(net, RECIPE, 10, Again())
    x_BCHW, y_B = torch.randn(8, 1, 8, 8), torch.arange(8)
    for _ in range(WARM_UP + 2):
        assert take(x_BCHW, y_B).loss < 10
    before = copy.deepcopy(net.state_dict())
    x_BCHW[3] = float("nan")
    assert take(x_BCHW, y_B).loss != take(x_BCHW, y_B).loss  # not a number
    for key, kept in net.state_dict().items():
        assert torch.equal(kept, before[key])


@pytest.mark.parametrize("steps", [1, 7, 30])
def test_learning_rates_are_those_of_the_schedule(steps: int) -> None:
    optimiser, schedule = make_optimiser(network("linear"), RECIPE, steps)
    seen = []
    for _ in range(steps):
        seen.append(optimiser.lr)
        optimiser.step()
        schedule.step()
    assert learning_rates(RECIPE, steps) == seen


class Counting(Recorder):
    """Says what was asked of it; replays as `Again` does."""

    def __init__(self, refuses: str = "") -> None:
        self.asked: list[str] = []
        self.refuses, self.again = refuses, Again()

    def warm(self, work: Bound) -> tuple[Tensor, ...]:
        self.asked.append("warm")
        return self.again.warm(work)

    def record(self, work: Bound) -> None:
        self.asked.append("record")
        if self.refuses:
            raise RuntimeError(self.refuses)
        self.again.record(work)

    def replay(self) -> tuple[Tensor, ...]:
        self.asked.append("replay")
        return self.again.replay()


def test_each_call_does_the_work_once_whatever_its_size() -> None:
    total, recorder = torch.zeros(()), Counting()
    places: list[int] = []

    def work(x_N: Tensor) -> tuple[Tensor]:
        places.append(x_N.data_ptr())
        total.add_(x_N.sum())
        return (x_N * 2,)

    graph = Graph(work, recorder)
    sizes = [4, 4, 3, 4, 4, 4, 2, 4]
    found = []
    for number, size in enumerate(sizes, start=1):
        (doubled,) = graph(torch.full((size,), float(number)))
        assert doubled.tolist() == [2.0 * number] * size
        found.append(doubled)
    assert total == sum(number * size for number, size in enumerate(sizes, start=1))
    assert len(places) == len(sizes)
    assert len({place for place, size in zip(places, sizes, strict=True) if size == 4}) == 1
    assert recorder.asked == ["warm", "warm", "record", "replay", "replay", "replay", "replay"]
    assert found[3] is found[4] is found[7]  # as a graph's results are


def test_what_cannot_be_recorded_is_computed_with_one_warning() -> None:
    recorder = Counting(refuses="operation not permitted when stream is capturing\nmore lines")
    total = torch.zeros(())

    def work(x: Tensor) -> tuple[Tensor]:
        return (total.add_(x),)

    graph = Graph(work, recorder)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for _ in range(8):
            graph(torch.ones(()))
    assert total == 8
    assert [str(w.message) for w in heard] == [
        "the training step is not recorded as a CUDA graph, and slower: "
        "operation not permitted when stream is capturing"
    ]
    assert recorder.asked == ["warm"] * WARM_UP + ["record"]


def test_images_on_a_device_give_the_same_batches() -> None:
    training, _ = digits(70)
    moved = training.to("cpu", torch.float64)
    strengths = {"shift": 2.0, "rotate": 15.0, "scale": 0.2, "flip": 0.5, "erase": 0.3}
    passes = []
    for part in (training, moved):
        order, augmenting = (torch.Generator().manual_seed(s) for s in (1, 2))
        passes.append([*part.shuffled(16, order, strengths, augmenting), *part.in_order(32)])
    for (x, y), (z, w) in zip(*passes, strict=True):
        assert z.dtype == torch.float64
        torch.testing.assert_close(x.double(), z, rtol=1e-6, atol=1e-6)
        assert torch.equal(y, w)


def test_seeds_side_by_side_see_what_each_would_see_alone() -> None:
    training, _ = digits(70)
    strengths = {"shift": 2.0, "flip": 0.5}

    def generators(seed: int) -> tuple[torch.Generator, torch.Generator]:
        return torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed + 100)

    orders, augmenting = zip(*map(generators, range(3)), strict=True)
    together = [b for _ in range(2) for b in training.shuffled_each(16, orders, strengths, augmenting)]
    for s in range(3):
        order, own = generators(s)
        alone = [b for _ in range(2) for b in training.shuffled(16, order, strengths, own)]
        for (x_SBCHW, y_SB), (x_BCHW, y_B) in zip(together, alone, strict=True):
            assert torch.equal(x_SBCHW[s], x_BCHW)
            assert torch.equal(y_SB[s], y_B)


@needs_cuda
@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "cnn"])
def test_cuda_a_recorded_run_is_near_the_run_on_the_processor(name: str) -> None:
    training, validation = digits()
    here, there = network(name), network(name).to("cuda")
    recipe = RECIPE.model_copy(update={"epochs": 1})
    a = train(here, training, validation, recipe, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the recording must not fail
        b = train(there, training.to("cuda"), validation.to("cuda"), recipe, 0)
    assert a.epochs[0].train_loss == pytest.approx(b.epochs[0].train_loss, rel=1e-2)
    for p, q in zip(here.parameters(), there.parameters(), strict=True):
        torch.testing.assert_close(p, q.cpu(), rtol=1e-2, atol=1e-2)


@needs_cuda
@pytest.mark.parametrize("name", ["lstm", "gru", "rnn"])
def test_cuda_a_stack_equals_the_stack_on_the_processor(name: str) -> None:
    training, validation = (part.to("cpu", torch.float64) for part in digits())
    here = [network(name, s, hidden=12, dropout=0.2).double() for s in range(3)]
    there = [copy.deepcopy(net).to("cuda") for net in here]
    train_stacked(here, training, validation, RECIPE, [0, 1, 2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parts = (part.to("cuda", torch.float64) for part in (training, validation))
        train_stacked(there, *parts, RECIPE, [0, 1, 2])
    for a, b in zip(here, there, strict=True):
        for p, q in zip(a.parameters(), b.parameters(), strict=True):
            torch.testing.assert_close(p, q.cpu(), rtol=1e-5, atol=1e-5)  # the learning rate is float32 there

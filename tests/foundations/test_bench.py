"""What follows from the times of a bench, worked out by hand."""

from __future__ import annotations

import pytest

from linewise.foundations.bench import MANY, ONE, TRAIN, Bench, Probe, Spread, Timed
from linewise.foundations.environment import environment
from linewise.foundations.records import Cost, ModelSpec
from linewise.foundations.speed import Turns


def timed(label: str, layers: str, train_s: list[float]) -> Timed:
    spec = ModelSpec(
        label=label, name=label, family="recurrent", sizes={}, cost=Cost(parameters=1, macs=10, activation_bytes=0)
    )
    work = {
        TRAIN: Turns(label=label, images=100, seconds=train_s),
        MANY: Turns(label=label, images=1000, seconds=[s / 2 for s in train_s]),
        ONE: Turns(label=label, images=1, seconds=[0.001] * 3),
    }
    return Timed(model=spec, layers=layers, training_macs=30, work=work)  # type: ignore[arg-type]


@pytest.fixture
def bench() -> Bench:
    return Bench(
        date="2026-01-01",
        environment=environment(2, kernels=""),
        shape=(28, 28, 1),
        budget=None,
        match="none",
        batch_size=100,
        probes=[
            Probe(kind="product", threads=2, flops=12_000, seconds=[1.0, 2.0, 0.5]),
            Probe(kind="convolution", threads=2, flops=12_000, seconds=[2.0, 1.0, 1.0]),
            Probe(kind="product", threads=1, flops=12_000, seconds=[100.0, 100.0, 100.0]),
        ],
        networks=[timed("gru", "linewise", [1.0, 1.0, 2.0]), timed("gru", "torch", [2.0, 3.0, 5.0]),
                  timed("cnn", "linewise", [1.0, 1.0, 1.0])],
    )  # fmt: skip


def test_shares_are_taken_round_by_round_on_the_same_threads(bench: Bench) -> None:
    # 2·30·100 = 6,000 operations: 6,000, 6,000 and 3,000 a second, of 12,000, 6,000 and 24,000
    share = bench.share(bench.networks[0], "product")
    assert (share.median, share.n) == (0.5, 3)
    # of the faster of the two: 12,000, 12,000 and 24,000
    assert bench.share(bench.networks[0], "product", "convolution").median == 0.5
    assert bench.share(bench.networks[2], "product", "convolution").median == 0.5


def test_torchs_layers_are_compared_with_ours_of_the_same_network(bench: Bench) -> None:
    beside = bench.beside_torch(bench.networks[0], TRAIN)
    assert beside is not None
    assert beside.median == 2.5
    assert bench.beside_torch(bench.networks[1], TRAIN) is None
    assert bench.beside_torch(bench.networks[2], TRAIN) is None


def test_rows_say_what_the_turns_say(bench: Bench) -> None:
    first, torchs, cnn = bench.rows()
    assert (first["network"], first["layers"], torchs["layers"]) == ("gru", "linewise", "torch")
    assert first["training_images_per_s"]["median"] == 100
    assert first["inference_images_per_s"]["median"] == 2000
    assert first["latency_ms"]["median"] == 1
    assert set(first["beside_torch"]) == {TRAIN, MANY, ONE}
    assert cnn["beside_torch"] == {}


def test_a_record_is_read_as_it_was_written(bench: Bench) -> None:
    assert Bench.model_validate_json(bench.model_dump_json()) == bench


def test_one_round_has_no_spread() -> None:
    assert Spread.of([3.0]) == Spread(median=3.0, low=3.0, high=3.0, n=1)

"""`linewise bench`: networks and matrix products in turns, on images made up on the spot."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import torch

from linewise.foundations.bench import MANY, ONE, TRAIN, Bench, Probe, ProbeKind, Timed
from linewise.foundations.environment import environment
from linewise.foundations.errors import ConfigError
from linewise.foundations.records import Match, ModelSpec, Recipe
from linewise.foundations.seeds import stream
from linewise.foundations.speed import Turns
from linewise.images.batches import Batches
from linewise.kernels import described
from linewise.kernels.twins import with_torchs_layers
from linewise.models import Network, create_model, parse_model, specify
from linewise.models.training_cost import training_macs
from linewise.study.executors import usable_cores
from linewise.study.job import pin_threads
from linewise.training.alternation import Task, alternate, answering, learning

SIDE = 1024
"""Of the matrices: large enough for a library's best rate, small enough for a turn of some 20 ms."""
BATCH, CHANNELS, EDGE = 8, 64, 28
"""Of the 3×3 convolution."""
FLOPS = {"product": 2 * SIDE**3, "convolution": 2 * BATCH * EDGE**2 * CHANNELS**2 * 9}
STEPS, NUM_CLASSES = 4, 10
"""Training steps in one piece of work; classes of the images that are made up."""
LEAST_S = {TRAIN: 0.1, MANY: 0.05, ONE: 0.01}
"""Kind of work → least duration of a turn, seconds."""
PROBES: tuple[ProbeKind, ...] = ("product", "convolution")
KINDS = (ONE, MANY, TRAIN)


def bench(
    models: Sequence[str],
    *,
    budget: int | None,
    match: Match,
    shape: tuple[int, int, int] = (28, 28, 1),
    batch_size: int = 128,
    threads: int = 1,
    rounds: int = 7,
    on_round: Callable[[int, int], None] = lambda done, rounds: None,
) -> Bench:
    """Time networks in training, on 1,000 images and on one; in each round all have their turn.

    A network with kernels of ours is timed on torch's layers too. The work is that of a study: its training loop,
    one process of `threads` threads.

    Args:
        models: as typed, such as `gru@columns:layers=2`.
        shape: height, width, channels.
        on_round: called with the number of rounds done, and of all.

    Raises:
        ConfigError: an unknown model or size, a model named twice, a budget too small.
    """
    specs = specified(models, budget=budget, match=match, shape=shape)
    pin_threads(threads)
    labelled = [(spec, network) for spec in specs for network in _both(spec, shape)]
    layers: list[Literal["linewise", "torch"]] = [
        "torch" if number and spec is labelled[number - 1][0] else "linewise"
        for number, (spec, _) in enumerate(labelled)
    ]
    widths = dict.fromkeys([threads, 1, usable_cores()])
    probes: list[tuple[ProbeKind, int]] = [(kind, n) for n in widths for kind in PROBES]
    probing = [probe(kind, n, back_to=threads) for kind, n in probes]
    turns: dict[str, list[list[float]]] = {}
    counts = {TRAIN: STEPS * batch_size, MANY: int(MANY), ONE: int(ONE)}
    for done, kind in enumerate(KINDS):
        images = _images(counts[kind], shape)
        tasks = [_task(kind, network, images, batch_size) for _, network in labelled]
        turns[kind] = alternate(
            [*probing, *tasks] if kind == TRAIN else tasks,
            rounds=rounds,
            at_least_s=LEAST_S[kind],
            on_round=lambda n, before=done * rounds: on_round(before + n, len(KINDS) * rounds),
        )
    probed, turns[TRAIN] = turns[TRAIN][: len(probes)], turns[TRAIN][len(probes) :]
    return Bench(
        date=datetime.now(UTC).date().isoformat(),
        environment=environment(threads, kernels=described()),
        shape=shape,
        budget=budget,
        match=match,
        batch_size=batch_size,
        probes=[
            Probe(kind=kind, threads=n, flops=FLOPS[kind], seconds=seconds)
            for (kind, n), seconds in zip(probes, probed, strict=True)
        ],
        networks=[
            Timed(
                model=spec,
                layers=layers[number],
                training_macs=training_macs(network.config),
                work={
                    kind: Turns(label=spec.label, images=counts[kind], seconds=turns[kind][number])
                    for kind in KINDS
                },
            )
            for number, (spec, network) in enumerate(labelled)
        ],
    )


def specified(
    models: Sequence[str], *, budget: int | None, match: Match, shape: tuple[int, int, int]
) -> list[ModelSpec]:
    """The networks with their widths solved.

    Raises:
        ConfigError: an unknown model or size, a model named twice, none at all, a budget too small.
    """
    specs = []
    if not models:
        raise ConfigError("no network", where="--models", expected="names such as lstm,cnn")
    for text in models:
        name, sizes = parse_model(text)
        label = text.replace(":", ",")
        if any(spec.label == label for spec in specs):
            raise ConfigError(f"named twice: {label}", where="--models", expected="each network once")
        height, width, channels = shape
        specs.append(
            specify(
                name,
                sizes,
                num_classes=NUM_CLASSES,
                in_chans=channels,
                img_size=(height, width),
                match=match,
                budget=budget,
                label=label,
            )
        )
    return specs


def probe(kind: str, threads: int, back_to: int) -> Task:
    """One matrix product or convolution, float32, on so many threads.

    Args:
        back_to: the threads that the next task is to find.
    """
    generator = torch.Generator().manual_seed(0)
    if kind == "product":
        a, b = (torch.rand(SIDE, SIDE, generator=generator) for _ in range(2))
    else:
        a = torch.rand(BATCH, CHANNELS, EDGE, EDGE, generator=generator)
        b = torch.rand(CHANNELS, CHANNELS, 3, 3, generator=generator)
        a, b = (x.contiguous(memory_format=torch.channels_last) for x in (a, b))

    def task() -> float:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            started = time.perf_counter()
            torch.mm(a, b) if kind == "product" else torch.nn.functional.conv2d(a, b, padding=1)
            took_s = time.perf_counter() - started
        torch.set_num_threads(back_to)
        return took_s

    return task


def _both(spec: ModelSpec, shape: tuple[int, int, int]) -> list[Network]:
    """The network, and where it has kernels of ours, its twin on torch's layers."""
    torch.manual_seed(stream(0, "weights"))
    sizes: dict[str, Any] = spec.sizes
    network = create_model(spec.name, num_classes=NUM_CLASSES, in_chans=shape[2], img_size=shape[:2], **sizes)
    twin = with_torchs_layers(network)
    return [network] if twin is None else [network, twin]


def _images(count: int, shape: tuple[int, int, int]) -> Batches:
    """Images of noise: the time does not depend on what they show."""
    rng = np.random.default_rng(0)
    images_NHWC = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    return Batches(images_NHWC, np.arange(count) % NUM_CLASSES, [0.5] * shape[2], [0.3] * shape[2])


def _task(kind: str, network: Network, images: Batches, batch_size: int) -> Task:
    if kind == TRAIN:
        return learning(network, images, Recipe.model_validate({"batch_size": batch_size}))
    x_BCHW, _ = next(images.in_order(len(images)))
    return answering(network, x_BCHW)

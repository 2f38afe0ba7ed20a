"""What stopping early saves: a reader that stops against the same reader to the end, in alternation."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

import torch

from linewise.foundations.stopping import StopRule, StopTime
from linewise.images import Chosen
from linewise.models.recurrent.early import EarlyReader
from linewise.models.recurrent.stepping import Stepping
from linewise.models.saved import Saved
from linewise.study.job import pin_threads
from linewise.study.stopping import batches_of, early_reader, reader_of
from linewise.training.alternation import Task, alternate

ROUNDS = {1: 15, 1000: 9}
"""Images read together → counted rounds."""
THREADS = 1
SINGLE_IMAGES = 100
"""Images of a round that are read one by one."""


def time_reading(
    saved: Saved, rule: StopRule, part: Chosen, on_round: Callable[[int], None] = lambda done: None
) -> list[StopTime]:
    """Seconds to read some images in three ways, one by one and 1,000 together: in alternation, warm."""
    pin_threads(THREADS)
    stopping = early_reader(saved, rule)
    steps = EarlyReader(Stepping(reader_of(saved)), None, None)
    network, times, done = saved.network, [], 0
    for size, rounds in ROUNDS.items():
        count = min(len(part.labels_N), SINGLE_IMAGES if size == 1 else size)
        x_NCHW, _ = next(batches_of(saved, part).in_order(count))
        batches = list(x_NCHW.contiguous(memory_format=torch.channels_last).split(size))
        ways: dict[Literal["whole", "steps", "stopping"], Task] = {
            "whole": _reading(network, batches),
            "steps": _reading(steps.read, batches),
            "stopping": _reading(stopping.read, batches),
        }
        turns = alternate(list(ways.values()), rounds=rounds, on_round=lambda n, before=done: on_round(before + n))
        done += rounds
        for way, seconds in zip(ways, turns, strict=True):
            times.append(StopTime(way=way, batch_size=size, images=count, seconds=seconds))
    return times


def _reading(read: Callable[[torch.Tensor], object], batches: list[torch.Tensor]) -> Task:
    def task() -> float:
        with torch.inference_mode():
            started = time.perf_counter()
            for x_BCHW in batches:
                read(x_BCHW)
            return time.perf_counter() - started

    return task

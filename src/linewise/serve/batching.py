"""One thread runs all models; requests that wait for the same model share a batch.

The queue is bounded: what does not fit is refused at once, so that those who wait are answered soon. While a batch
runs, the next one gathers; a request that finds the thread idle waits `wait_s` for others to join it.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from linewise.images.answering import Answerer
from linewise.serve.errors import Refused, busy

T = TypeVar("T")


@dataclass
class _Job:
    """Images for a model, or a call; `size` is what it counts in the queue."""

    size: int
    name: str = ""
    images_NHWC: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint8))
    call: Callable[[], Any] | None = None
    answer: Future[Any] = field(default_factory=Future)


class Batcher:
    """Runs models for many requests at once; from any event loop.

    Args:
        answerers: by name.
        max_batch: images of one batch; a single request may have more, and is then a batch of its own.
        max_waiting: images that may wait.
        wait_s: for others, where the thread was idle.
        on_batch: told the size of each batch.
    """

    def __init__(
        self,
        answerers: Mapping[str, Answerer],
        *,
        max_batch: int = 64,
        max_waiting: int = 256,
        wait_s: float = 0.002,
        on_batch: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._answerers = dict(answerers)
        self._max_batch, self._max_waiting, self._wait_s = max_batch, max_waiting, wait_s
        self._on_batch = on_batch
        self._jobs: deque[_Job] = deque()
        self._waiting = 0
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._images_per_s = 1000.0

    @property
    def waiting(self) -> int:
        """Images in the queue."""
        return self._waiting

    def add(self, name: str, answerer: Answerer) -> None:
        """One more model to answer with."""
        with self._changed:
            self._answerers = {**self._answerers, name: answerer}

    def remove(self, name: str) -> None:
        """Forget a model; requests for it that wait already fail."""
        with self._changed:
            self._answerers = {other: each for other, each in self._answerers.items() if other != name}

    async def answer(self, name: str, images_NHWC: np.ndarray) -> np.ndarray:
        """Class probabilities `NK`, float32, of prepared uint8 images.

        Raises:
            Refused: 503, the queue is full or closed. KeyError: no such model.
        """
        self._answerers[name]
        return await self._submit(_Job(len(images_NHWC), name, images_NHWC))

    async def run(self, call: Callable[[], T]) -> T:
        """What a call returns, made in the thread of the models; it counts as one image.

        Raises:
            Refused: 503, the queue is full or closed.
        """
        return await self._submit(_Job(1, call=call))

    async def _submit(self, job: _Job) -> Any:
        with self._changed:
            if self._closed:
                raise busy("The server is about to stop.")
            waiting = self._waiting
            if waiting and waiting + job.size > self._max_waiting:
                after_s = min(60, max(1, math.ceil(waiting / self._images_per_s)))
                raise busy(f"{waiting} images wait for an answer already.", after_s)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="models", daemon=True)
                self._thread.start()
            self._jobs.append(job)
            self._waiting += job.size
            self._changed.notify()
        return await asyncio.wrap_future(job.answer)

    def close(self, timeout_s: float = 10.0) -> None:
        """Refuse what comes, finish what waits, end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _work(self) -> None:
        while batch := self._next():
            wanted = [job for job in batch if job.answer.set_running_or_notify_cancel()]
            if not wanted:  # their clients have gone
                continue
            try:
                found = [call()] if (call := wanted[0].call) else self._answer(wanted)
            except BaseException as error:
                for job in wanted:
                    job.answer.set_exception(error)
                continue
            for job, answer in zip(wanted, found, strict=True):
                job.answer.set_result(answer)

    def _answer(self, batch: list[_Job]) -> list[np.ndarray]:
        started = time.perf_counter()
        sizes = [job.size for job in batch]
        images_NHWC = (
            np.concatenate([job.images_NHWC for job in batch]) if len(batch) > 1 else batch[0].images_NHWC
        )
        answerer = self._answerers.get(batch[0].name)
        if answerer is None:  # forgotten while these waited
            raise Refused(404, "Unknown model", "This model is gone.")
        answers_NK = answerer.probabilities(images_NHWC)
        self._on_batch(sum(sizes))
        rate = sum(sizes) / max(time.perf_counter() - started, 1e-6)
        self._images_per_s += 0.1 * (rate - self._images_per_s)
        return np.split(answers_NK, np.cumsum(sizes)[:-1])

    def _next(self) -> list[_Job]:
        """The next batch, gone from the queue; empty once the queue is closed and has run dry."""
        with self._changed:
            idle = not self._jobs
            while not self._jobs:
                if self._closed:
                    return []
                self._changed.wait()
            first = self._jobs[0]
            if idle and first.call is None and not self._closed:
                until = time.monotonic() + self._wait_s
                while (left := until - time.monotonic()) > 0 and self._waiting < self._max_batch:
                    self._changed.wait(left)
            batch = self._take()
            self._waiting -= sum(job.size for job in batch)
            return batch

    def _take(self) -> list[_Job]:
        first = self._jobs.popleft()
        batch, size = [first], first.size
        if first.call is not None:
            return batch
        kept: deque[_Job] = deque()
        for job in self._jobs:
            if job.call is None and job.name == first.name and size + job.size <= self._max_batch:
                batch.append(job)
                size += job.size
            else:
                kept.append(job)
        self._jobs = kept
        return batch

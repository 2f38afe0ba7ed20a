"""Small readers trained on the spot from a visitor's drawings: one at a time, in a thread of their own.

They are real runs: the same loop, the same records and the same files as `linewise train`, kept in a temporary
folder until someone saves them. What is not saved is forgotten when the server stops.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from linewise.foundations.errors import LinewiseError
from linewise.foundations.records import Epoch
from linewise.foundations.scratch import scratch
from linewise.serve.batching import Batcher
from linewise.serve.desk import Desk, Served
from linewise.serve.errors import Refused
from linewise.serve.lesson import Lesson, learn

log = logging.getLogger("linewise.serve")
MOST_S = 60.0
"""A training that takes longer is given up."""
MOST_MODELS = 5
"""Taught models that are kept; the oldest makes room for the next."""
MOST_SAVED = 100
RUNS = Path("runs")

Phase = Literal["nothing", "preparing", "training", "ready", "stopped", "failed"]


@dataclass(frozen=True)
class Progress:
    """Where the last training is.

    Attributes:
        model: what it is called; empty before the first.
        losses: of the training drawings, after each epoch.
        num_train, num_apart: drawings it learns from, and drawings that are kept apart to examine it.
        right: of those kept apart, how many it recognises.
        train_s: of training alone.
        saved: where it lies on disk, from where the server was started; empty where it was not saved.
        message: why it stopped or failed.
    """

    phase: Phase = "nothing"
    model: str = ""
    class_names: tuple[str, ...] = ()
    step: int = 0
    steps: int = 0
    losses: tuple[float, ...] = ()
    num_train: int = 0
    num_apart: int = 0
    right: int = 0
    train_s: float = 0.0
    saved: str = ""
    message: str = ""

    @property
    def busy(self) -> bool:
        return self.phase in ("preparing", "training")


class _Stop(Exception):  # noqa: N818 - a wish
    """Training is to end now; the message says why."""


@dataclass
class Teaching:
    """The trainings of one server, and the models that came of them.

    Args:
        desk: where a trained model is laid.
        batcher: what answers with it.
        threads: of the processor, for training.
    """

    desk: Desk
    batcher: Batcher
    threads: int = 1
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._thread: threading.Thread | None = None
        self._kept = ExitStack()
        self._workplace: Path | None = None
        self._count = 0
        self._taught: dict[str, Progress] = {}

    def reserve(self) -> None:
        """Take the only place, before any work is done; `start` or `release` follows.

        Raises:
            Refused: 409, a network is being trained.
        """
        with self._lock:
            if self.progress.busy:
                raise Refused(409, "Busy", "A network is being trained already; one at a time.")
            self._cancelled.clear()
            self.progress = Progress(phase="preparing")

    def release(self) -> None:
        """Give the place back."""
        with self._lock:
            if self.progress.phase == "preparing":
                self.progress = Progress()

    def start(self, class_names: list[str], drawings: list[np.ndarray]) -> None:
        """Train in the place that was reserved; returns at once.

        Args:
            drawings: of each class, uint8 `NHWC`.
        """
        with self._lock:
            self._count += 1
            name = f"taught-{self._count}"
            while name in self.desk.models:  # a saved one that is served again
                self._count += 1
                name = f"taught-{self._count}"
            if self._workplace is None:
                self._workplace = self._kept.enter_context(scratch())
            lesson = Lesson.of(name, self._workplace, class_names, drawings, self.threads)
            self.progress = Progress(
                phase="training",
                model=name,
                class_names=tuple(class_names),
                num_train=len(lesson.training.labels_N),
                num_apart=len(lesson.apart.labels_N),
            )
            self._thread = threading.Thread(target=self._teach, args=(lesson,), name="teaching", daemon=True)
            self._thread.start()

    def cancel(self) -> None:
        """Stop the training that runs, if one does."""
        self._cancelled.set()

    def save(self, name: str) -> Path:
        """Write a taught model as a run, under a new name in `runs/`; once only.

        Returns:
            Its folder, from where the server was started.

        Raises:
            Refused: 404, no such model; 409, there are too many, or the folder cannot be written.
        """
        with self._lock:
            if name not in self._taught:
                raise Refused(404, "Unknown model", f"{name!r} was not taught here, or it is forgotten.")
            if kept := self._taught[name].saved:
                return Path(kept)
            if sum(1 for _ in RUNS.glob("taught-*")) >= MOST_SAVED:
                raise Refused(409, "Not saved", f"There are {MOST_SAVED} taught runs already; remove some.")
            try:
                path = keep(self.desk.models[name].run, RUNS)
            except OSError as error:
                raise Refused(409, "Not saved", f"{RUNS}/ cannot be written ({error.strerror}).") from None
            self._taught[name] = replace(self._taught[name], saved=str(path))
            if self.progress.model == name:
                self.progress = self._taught[name]
            return path

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop, and forget what was not saved."""
        self.cancel()
        if self._thread is not None:
            self._thread.join(timeout_s)
        self._kept.close()

    def _teach(self, lesson: Lesson) -> None:
        until = time.monotonic() + MOST_S

        def on_step(step: int, steps: int) -> None:
            if self._cancelled.is_set():
                raise _Stop("It was cancelled.")
            if time.monotonic() > until:
                raise _Stop(f"It took longer than {MOST_S:.0f} s.")
            self.progress = replace(self.progress, step=step, steps=steps)

        def on_epoch(epoch: Epoch) -> None:
            right = round(epoch.validation_accuracy * self.progress.num_apart)
            self.progress = replace(
                self.progress, losses=(*self.progress.losses, round(epoch.train_loss, 4)), right=right
            )

        try:
            answerer, record = learn(lesson, on_step, on_epoch)
        except _Stop as stop:
            self.progress = replace(self.progress, phase="stopped", message=str(stop))
        except LinewiseError as error:
            log.info("a network could not be taught: %s", error)
            self.progress = replace(self.progress, phase="failed", message="The training came to nothing.")
        except Exception:
            log.exception("a network could not be taught")
            self.progress = replace(self.progress, phase="failed", message="The server failed; see its log.")
        else:
            name = lesson.name
            with self._lock:
                served = Served(name, answerer, answerer.saved, lesson.job.path, None)
                self.desk.add(served)
                self.batcher.add(name, served.answerer)
                train_s = record.times.train_s if record.times else 0.0
                ready = replace(self.progress, phase="ready", train_s=round(train_s, 2))
                self._taught[name] = ready
                self._forget()
                self.progress = ready

    def _forget(self) -> None:
        for name in list(self._taught)[:-MOST_MODELS]:
            del self._taught[name]
            shutil.rmtree(self.desk.models[name].run, ignore_errors=True)
            self.desk.remove(name)
            self.batcher.remove(name)


def keep(run: Path, runs: Path) -> Path:
    """Copy a run's folder to a new place: `runs/taught-1`, or the first number that is free. Whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    runs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=runs, prefix=".taught-", suffix=".partial") as draft:
        whole = shutil.copytree(run, Path(draft) / "run")
        number = 1
        while True:
            path = runs / f"taught-{number}"
            if not os.path.lexists(path):
                try:
                    whole.rename(path)
                    return path
                except OSError:
                    if not os.path.lexists(path):
                        raise
            number += 1  # another was quicker; a folder with something in it is never renamed over

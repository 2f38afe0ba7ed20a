"""A tracker told while a study goes on, in a thread of its own: slow or failing, it stops no run."""

from __future__ import annotations

import queue
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from linewise.adapters.facts import Facts, Identity
from linewise.adapters.log import in_a_line, tell
from linewise.adapters.tracker import Tracker, open_tracker
from linewise.foundations.folder import Run
from linewise.foundations.records import StudySpec
from linewise.study.events import Events, both
from linewise.study.heartbeat import Beat

PATIENCE_S = 120.0
"""How long the end of a study waits for a tracker."""
SETTLE_S = 20.0
"""How long the timing of the networks waits for one."""


@contextmanager
def telling(to: str | None, path: Path, events: Events | None, patience_s: float = PATIENCE_S) -> Iterator[Events]:
    """Events that tell a tracker too; at the end it is told all that is on disk.

    Args:
        to: `tensorboard:FOLDER` or `mlflow:URI`; None tells nobody.
        path: the folder of the study, or of a run of its own.
        events: who else listens, and hears the one warning when the tracker fails.

    Raises:
        ConfigError: a wrong target, or a package that is not installed.
    """
    events = events or Events(warned=partial(warnings.warn, stacklevel=2))
    if to is None:
        yield events
        return
    live = _Live(open_tracker(to), path)
    try:
        yield both(events, live.events)
    finally:
        if failure := live.end(patience_s):
            events.warned(f"{to} was not told everything ({failure}); `linewise log {path} --to {to}` tries again")


class _Live:
    """The thread and what is told to it."""

    def __init__(self, tracker: Tracker, path: Path) -> None:
        self.tracker, self.path = tracker, path
        self.events = Events(
            planned=self._planned, progress=self._progress, ended=self._ended, opened=self._opened
        )  # fmt: skip
        self.failure = ""
        self._told: dict[str, int] = {}
        self._class_names: list[str] = []
        self._is_study = True
        self._tasks: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True, name="linewise-tracker")
        self._thread.start()

    def end(self, patience_s: float) -> str:
        """Tell what is on disk and wait for it; why it failed, or nothing."""
        if (self.path / "study.json").is_file() or (self.path / "run.json").is_file():
            self._tasks.put(lambda: tell(self.path, self.tracker))
        self._tasks.put(self.tracker.close)
        self._tasks.put(None)
        self._thread.join(patience_s)
        return self.failure or (f"no answer within {patience_s:g} s" if self._thread.is_alive() else "")

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            if self.failure:
                continue
            try:
                task()
            except Exception as error:  # whatever a tracker raises, runs go on
                self.failure = in_a_line(error)

    def _planned(self, spec: StudySpec, missing: list[str]) -> None:
        self._class_names = spec.data.class_names
        self._is_study = missing != [self.path.name]
        study = (
            Identity.of_study(self.path, spec)
            if self._is_study
            else Identity.of_run(self.path, spec.models[0], spec.recipe, spec.seeds[0], spec.data.fingerprint)
        )
        self._tasks.put(partial(self.tracker.begin, study))

    def _progress(self, beats: dict[str, Beat]) -> None:
        for key, beat in beats.items():
            new = beat.epochs[self._told.get(key, 0) :]
            if new:
                self._told[key] = len(beat.epochs)
                self._tasks.put(partial(self.tracker.epochs, key, new))

    def _ended(self, key: str, failure: str) -> None:
        path = self.path / "runs" / key if self._is_study else self.path
        if (path / "run.json").is_file():
            self._tasks.put(lambda: self.tracker.finish(self._facts(path)))

    def _opened(self, runs: int) -> None:
        """Networks are timed next: first let what waits be told, so that it takes no time from them."""
        settled, latest = threading.Event(), time.monotonic() + SETTLE_S
        self._tasks.put(settled.set)
        while not (settled.wait(0.05) or self.failure or time.monotonic() > latest):
            pass

    def _facts(self, path: Path) -> Facts:
        return Facts.read(Run.open(path), self._class_names)

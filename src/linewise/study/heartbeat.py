"""How a worker tells its launcher where it is: a small file, a few times a second."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from linewise.foundations.records import Epoch

if TYPE_CHECKING:
    from linewise.study.events import Events

EVERY_S = 0.2


@dataclass(frozen=True)
class Beat:
    """Where a run is.

    Attributes:
        epochs: those finished so far.
        begun: steps that an earlier process took.
        warnings: what a person should know.
        resting: between two epochs, while the validation images are answered: no step is being taken.
    """

    step: int = 0
    steps: int = 0
    epochs: list[Epoch] = field(default_factory=list)
    begun: int = 0
    warnings: list[str] = field(default_factory=list)
    resting: bool = False


class Heartbeat:
    """The writing end. In a worker process it ends the process when the launcher is gone.

    Args:
        path: the file.
        launcher: process number of the launcher, which may be this process itself.
        written: called whenever the file was.
    """

    def __init__(self, path: Path, launcher: int, written: Callable[[], None] = lambda: None) -> None:
        self.path, self.written = path, written
        self.parent = None if launcher == os.getpid() else os.getppid()
        self.epochs: list[Epoch] = []
        self.warnings: list[str] = []
        self.next = 0.0
        self.begun, self.steps, self.resting = 0, (0, 0), False

    def begin_at(self, step: int, steps: int, epochs: list[Epoch]) -> None:
        """The run goes on where an earlier process was."""
        self.begun, self.steps, self.epochs = step, (step, steps), epochs
        self._write()

    def warn(self, text: str) -> None:
        self.warnings.append(text)
        self._write()

    def step(self, step: int, steps: int) -> None:
        self.steps = step, steps
        now = time.monotonic()
        if now >= self.next:
            self.next = now + EVERY_S
            self._write()

    def epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)
        self._write()

    def rest(self, resting: bool) -> None:
        self.resting = resting
        self._write()

    def _write(self) -> None:
        if self.parent is not None and os.getppid() != self.parent:
            os._exit(1)
        step, steps = self.steps
        beat = {
            "step": step,
            "steps": steps,
            "epochs": [epoch.model_dump() for epoch in self.epochs],
            "begun": self.begun,
            "warnings": self.warnings,
            "resting": self.resting,
        }
        draft = self.path.with_suffix(".draft")
        try:
            draft.write_text(json.dumps(beat), encoding="utf-8")
            os.replace(draft, self.path)
        except OSError:  # a full disk keeps nobody from training
            with suppress(OSError):
                os.utime(self.path)  # a sign of life needs no room
        self.written()


class Listener:
    """The reading end for many runs: hands on where they are, and each warning once.

    Args:
        beats: the files, by the names of the runs.
    """

    def __init__(self, beats: dict[str, Path], events: Events) -> None:
        self.beats, self.events = beats, events
        self._said: set[str] = set()

    def listen(self, *keys: str) -> None:
        """To all, or to these."""
        beats = {key: read(self.beats[key]) for key in keys or self.beats}
        for key, beat in beats.items():
            for text in (f"{key}: {warning}" for warning in beat.warnings):
                if text not in self._said:
                    self._said.add(text)
                    self.events.warned(text)
        self.events.progress(beats)


def read(path: Path) -> Beat:
    """The reading end, in the launcher; a run that has not begun is at step 0."""
    try:
        beat = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Beat()
    epochs = [Epoch.model_validate(e) for e in beat["epochs"]]
    return Beat(beat["step"], beat["steps"], epochs, beat["begun"], beat["warnings"], beat["resting"])

"""How a worker tells its launcher where it is: a small file, a few times a second."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from linewise.foundations.records import Epoch

EVERY_S = 0.2


@dataclass(frozen=True)
class Beat:
    """Where a run is. `epochs` are those finished so far."""

    step: int = 0
    steps: int = 0
    epochs: list[Epoch] = field(default_factory=list)


class Heartbeat:
    """The writing end. In a worker process it ends the process when the launcher is gone.

    Args:
        path: the file.
        launcher: process number of the launcher, which may be this process itself.
    """

    def __init__(self, path: Path, launcher: int) -> None:
        self.path = path
        self.parent = None if launcher == os.getpid() else os.getppid()
        self.epochs: list[Epoch] = []
        self.next = 0.0
        self.steps = (0, 0)

    def step(self, step: int, steps: int) -> None:
        self.steps = step, steps
        now = time.monotonic()
        if now >= self.next:
            self.next = now + EVERY_S
            self._write()

    def epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)
        self._write()

    def _write(self) -> None:
        if self.parent is not None and os.getppid() != self.parent:
            os._exit(1)
        step, steps = self.steps
        beat = {"step": step, "steps": steps, "epochs": [epoch.model_dump() for epoch in self.epochs]}
        draft = self.path.with_suffix(".draft")
        draft.write_text(json.dumps(beat), encoding="utf-8")
        os.replace(draft, self.path)


def read(path: Path) -> Beat:
    """The reading end, in the launcher; a run that has not begun is at step 0."""
    try:
        beat = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Beat()
    return Beat(beat["step"], beat["steps"], [Epoch.model_validate(e) for e in beat["epochs"]])

"""What comes back from a job while it goes on: heartbeats and checkpoints, through an actor of the launcher."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, final

from linewise.study.cluster.baggage import Content

LOOK_S = 0.25
LAST_S = 5.0
SHARE = 20
"""After a checkpoint was sent, none is for so many times as long as that took."""


class Post:
    """The actor: of each file of each job the newest that the launcher has not had."""

    def __init__(self) -> None:
        self._letters: dict[tuple[str, Path], Content] = {}

    def put(self, token: str, letters: dict[Path, Content]) -> None:
        """Letters of one attempt at a job, by the launcher's paths."""
        self._letters.update({(token, path): content for path, content in letters.items()})

    def take(self) -> dict[tuple[str, Path], Content]:
        letters, self._letters = self._letters, {}
        return letters


@final
class Courier:
    """On a node, beside a job: looks for what is new, and sends it. A post that is gone stops no job.

    Args:
        beats: where the job writes them, by the launcher's paths.
        checkpoints: likewise, the folders.
    """

    def __init__(self, post: Any, token: str, beats: dict[Path, Path], checkpoints: dict[Path, Path]) -> None:
        self.post, self.token, self.beats, self.checkpoints = post, token, beats, checkpoints
        self._seen: dict[Path, object] = {}
        self._over = threading.Event()
        self._next_checkpoint = 0.0
        self._thread = threading.Thread(target=self._go_round, name="courier", daemon=True)

    def __enter__(self) -> Courier:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        self._send({**self._new_beats(), **self._new_checkpoints()}, LAST_S)

    def _go_round(self) -> None:
        while not self._over.wait(LOOK_S):
            self._send(self._new_beats(), LAST_S)
            if time.monotonic() >= self._next_checkpoint:
                started = time.monotonic()
                self._send(self._new_checkpoints(), 60.0)
                self._next_checkpoint = time.monotonic() + SHARE * (time.monotonic() - started)

    def _send(self, letters: dict[Path, Content], patience_s: float) -> None:
        import ray
        from ray.exceptions import RayError

        if letters:
            with suppress(RayError):  # the launcher hears of the end from the task itself
                ray.get(self.post.put.remote(self.token, letters), timeout=patience_s)

    def _new_beats(self) -> dict[Path, Content]:
        found: dict[Path, Content] = {}
        for there, here in self.beats.items():
            try:
                stat = here.stat()
                if self._seen.get(there) != (state := (stat.st_ino, stat.st_mtime_ns)):
                    found[there] = here.read_bytes()
                    self._seen[there] = state
            except OSError:  # not begun
                continue
        return found

    def _new_checkpoints(self) -> dict[Path, Content]:
        """The newest of each folder: its JSON is written last, so that its tensors are there."""
        found: dict[Path, Content] = {}
        for there, here in self.checkpoints.items():
            newest = max((path.stem for path in here.glob("[0-9]*.json")), default="")
            if newest and self._seen.get(there) != newest:
                try:
                    names = f"{newest}.safetensors", f"{newest}.json"
                    found[there] = {name: (here / name).read_bytes() for name in names}
                    self._seen[there] = newest
                except OSError:  # there is a newer one already, or the run has ended
                    continue
        return found

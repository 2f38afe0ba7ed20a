"""The nodes of a cluster: how many runs they can hold, and whether there are any left, and their head."""

from __future__ import annotations

import socket
import time
from typing import final

from linewise.foundations.errors import ConfigError
from linewise.study.cluster.place import Place

LOOK_S = 5.0
WAIT_S = 60.0
"""For so long nodes may come, or come back."""
HEADLESS_S = 30.0
"""For so long the head may be silent; after a minute Ray would end this process, with a line of its own."""
KNOCK_S = 2.0


@final
class Nodes:
    """Those that are alive.

    Args:
        threads: processors that one run takes.
        place: the cluster.
    """

    def __init__(self, threads: int, place: Place) -> None:
        self.threads, self.place = threads, place
        self._next = self._since = self._silent_since = 0.0
        self._most = 0.0

    def room(self) -> int:
        """How many runs they can hold side by side, whatever else they do."""
        import ray

        processors = [node["Resources"].get("CPU", 0.0) for node in ray.nodes() if node["Alive"]]
        self._most = max(processors, default=0.0)
        return sum(int(p // self.threads) for p in processors)

    def watch(self) -> None:
        """Look, now and then.

        Raises:
            ConfigError: for a minute there was none that could hold a run, or the head is gone.
        """
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + LOOK_S
        if not self._head_answers(now):  # and Ray would wait for it
            return
        if self.room():
            self._since = 0.0
            return
        self._since = self._since or now
        if now - self._since >= WAIT_S:
            raise ConfigError(
                f"no node with {self.threads} processor{'s' * (self.threads > 1)} for a run "
                f"(the largest has {self._most:g})",
                where=f"--on {self.place.text}",
                expected=f"one within {WAIT_S:g} s",
                mend="add a node (`ray start --address=…`), or take fewer --threads in a new study; "
                "what has ended is kept, and the same command goes on",
            )

    def _head_answers(self, now: float) -> bool:
        if not self.place.host:
            return True
        try:
            socket.create_connection((self.place.host, self.place.port), KNOCK_S).close()
        except OSError as error:
            self._silent_since = self._silent_since or now
            if now - self._silent_since < HEADLESS_S:
                return False
            raise ConfigError(
                f"the head of the cluster does not answer any more ({error.strerror or error})",
                where=f"--on {self.place.text}",
                mend="begin it anew, and its nodes; what has ended is kept, and the same command goes on",
            ) from None
        self._silent_since = 0.0
        return True

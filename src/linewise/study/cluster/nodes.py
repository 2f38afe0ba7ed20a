"""The nodes of a cluster: how many runs they can hold, and whether there are any left."""

from __future__ import annotations

import time
from typing import final

from linewise.foundations.errors import ConfigError

LOOK_S = 5.0
WAIT_S = 60.0
"""For so long nodes may come, or come back."""


@final
class Nodes:
    """Those that are alive.

    Args:
        threads: processors that one run takes.
        where: for messages.
    """

    def __init__(self, threads: int, where: str) -> None:
        self.threads, self.where = threads, where
        self._next = self._since = 0.0
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
            ConfigError: for a minute there was none that could hold a run.
        """
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + LOOK_S
        if self.room():
            self._since = 0.0
            return
        self._since = self._since or now
        if now - self._since >= WAIT_S:
            raise ConfigError(
                f"no node with {self.threads} processor{'s' * (self.threads > 1)} for a run "
                f"(the largest has {self._most:g})",
                where=self.where,
                expected=f"one within {WAIT_S:g} s",
                mend="add a node (`ray start --address=…`), or take fewer --threads in a new study; "
                "what has ended is kept, and the same command goes on",
            )

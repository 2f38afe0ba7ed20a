"""The tasks that are going on: sent off, listened to, and what came of them written down."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, final

import ray
from ray.exceptions import RayError, RayTaskError, RuntimeEnvSetupError, TaskCancelledError, WorkerCrashedError

from linewise.foundations.errors import ConfigError
from linewise.study.cluster.baggage import absolute, baggage_of, moved, read_all
from linewise.study.cluster.delivery import deliver_changes, deliver_letter, deliver_result
from linewise.study.cluster.sharing import Store
from linewise.study.cluster.work import Outcome, Parcel, carry_out, software
from linewise.study.executors import reason
from linewise.study.watch import Vigil

J = TypeVar("J")
LAST_S = 2.0
"""For so long the post may take to hand out the last letters."""


@dataclass(frozen=True)
class Ending:
    """How an attempt ended.

    Attributes:
        failure: of the job itself; empty where it ended well.
        lost: what became of its node or process, where that is why it did not end.
    """

    failure: str = ""
    lost: str = ""


@dataclass(frozen=True)
class _Attempt(Generic[J]):
    """A job, the name of this attempt at it, and who watches it."""

    job: J
    token: str
    vigil: Vigil


@final
class Tasks(Generic[J]):
    """Attempts at jobs, one task each.

    Args:
        options: of each task.
        hang_s: seconds without a next step after which one counts as hung; 0: never.

    Attributes:
        running: attempts, by the references of their tasks.
    """

    def __init__(
        self, function: Callable[[J], None], options: dict[str, Any], post: Any, store: Store, hang_s: float
    ) -> None:
        self.function, self.post, self.store, self.hang_s = function, post, store, hang_s
        self.running: dict[Any, _Attempt[J]] = {}
        self._task = ray.remote(carry_out).options(**options)
        self._asked: Any = None

    def start(self, job: J) -> None:
        there = moved(job, absolute, self.store.stored)
        baggage = moved(baggage_of(job), absolute)
        token = uuid.uuid4().hex
        parcel = Parcel(token, there, baggage, read_all(baggage.reads), software())
        self.running[self._task.remote(self.function, parcel, self.post)] = _Attempt(
            job, token, Vigil(self.hang_s, baggage.beats)
        )

    def ended(self, patience_s: float) -> Iterator[tuple[J, Ending]]:
        """Those that ended within so many seconds; what they made is written by then."""
        first, rest = ray.wait(list(self.running), timeout=patience_s)
        done = first + (ray.wait(rest, num_returns=len(rest), timeout=0)[0] if first and rest else [])
        self._listen(wait_s=LAST_S if done else 0)
        for reference in done:
            attempt = self.running.pop(reference)
            yield attempt.job, self._ending(reference)
        for reference, attempt in list(self.running.items()):
            if hung := attempt.vigil.hangs(time.monotonic(), None):
                ray.cancel(reference, force=True)
                yield self.running.pop(reference).job, Ending(lost=hung)

    def dismiss(self, patience_s: float, hurried: Callable[[], bool] = lambda: False) -> None:
        """Ask all to stop and wait, though not for long, until they have; then end what still goes on.

        Of those that ended well meanwhile no letter is written any more: it would bring a checkpoint back.
        """
        for reference in self.running:
            ray.cancel(reference, force=not patience_s)
        deadline = time.monotonic() + patience_s
        pending = list(self.running)
        while pending and time.monotonic() < deadline and not hurried():
            done, pending = ray.wait(pending, num_returns=len(pending), timeout=0.1)
            self._listen()
            for reference in done:
                with suppress(ConfigError):  # why it is stopped matters more
                    if self._ending(reference) == Ending():
                        self.running.pop(reference)
        for reference in pending:
            ray.cancel(reference, force=True)
        self._listen(wait_s=LAST_S)
        self.running.clear()

    def _listen(self, wait_s: float = 0) -> None:
        """Write what the post has: of attempts that go on."""
        for _ in range(2 if wait_s else 1):  # the first answer may be older than the last letter
            if self._asked is None:
                self._asked = self.post.take.remote()
            done, _ = ray.wait([self._asked], timeout=wait_s)
            if not done:
                return
            asked, self._asked = self._asked, None
            try:
                letters: dict[tuple[str, Path], Any] = ray.get(asked)
            except RayError:  # it begins anew on another node
                return
            tokens = {attempt.token for attempt in self.running.values()}
            for (token, path), content in letters.items():
                if token in tokens:
                    deliver_letter(path, content)

    def _ending(self, reference: Any) -> Ending:
        try:
            outcome: Outcome = ray.get(reference)
        except RayTaskError as error:
            if "No module named 'linewise'" in str(error):
                raise ConfigError(
                    "Linewise is not installed on a node", mend="install the same version on every node"
                ) from None
            return Ending(failure=reason(error.cause if isinstance(error.cause, Exception) else error))
        except RuntimeEnvSetupError as error:
            return Ending(failure=f"its node could not be made ready: {_first_line(error)}")
        except RayError as error:
            return Ending(lost=_in_words(error))
        if outcome.unlike:
            raise ConfigError(
                f"other software on node {outcome.node}: {outcome.unlike}",
                expected="the same on every node, else runs could not be compared",
                mend="install the same there; the same command goes on",
            )
        if outcome.stopped:
            return Ending(lost=f"its task was cancelled on {outcome.node}")
        if outcome.failure:
            return Ending(failure=outcome.failure)
        try:
            for path, content in outcome.made.items():
                deliver_result(path, content)
            for path, content in outcome.changed.items():
                deliver_changes(path, content)
        except OSError as error:
            return Ending(failure=reason(error))
        return Ending()


def _in_words(error: RayError) -> str:
    """What became of a task's node or process."""
    if isinstance(error, TaskCancelledError):
        return "its task was cancelled"
    if isinstance(error, WorkerCrashedError):
        return "its worker process was killed, or its node was lost"
    return f"its node or process was lost: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text.split(". ")[0][:300] or type(error).__name__

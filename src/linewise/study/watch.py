"""Whether a worker process still works, how one ended, and whether what it was doing is tried again.

Whatever computes runs elsewhere, worker processes here or a cluster, keeps one rule: a job whose process was
killed or hung is tried again, `ATTEMPTS` times in all; only the job that the process had is blamed, and every
cause is kept.
"""

from __future__ import annotations

import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar, final, runtime_checkable

from linewise.study import heartbeat

J = TypeVar("J")
ATTEMPTS = 3
HANG_S = 300.0
"""Seconds without any sign of life after which a worker counts as hung; 0: never."""
STEPS = 50
"""A step may take so many times as long as usual, where that is more."""
FEWEST_STEPS = 5
"""Steps seen before there is a usual one."""
LOOK_S = 1.0
MOST_S = 2.0
"""Between two looks at most so much counts: a launcher that was stopped itself, by Ctrl-Z, blames nobody."""


@runtime_checkable
class Watched(Protocol):
    """A job that tells where it is."""

    @property
    def beats(self) -> tuple[Path, ...]:
        """Files of its heartbeats."""
        ...


@final
class Retries(Generic[J]):
    """Who may be tried again; jobs are told apart by identity.

    >>> retries, job = Retries[str](attempts=2), "a run"
    >>> retries.again(job, "its worker process hung"), retries.again(job, "it hung again")
    (True, False)
    >>> retries.reason(job)
    'tried 2 times: its worker process hung; it hung again'
    """

    def __init__(self, attempts: int = ATTEMPTS) -> None:
        self.attempts = attempts
        self._causes: dict[int, tuple[J, list[str]]] = {}

    def again(self, job: J, cause: str) -> bool:
        """Note why an attempt came to nothing; whether there is another."""
        causes = self._causes.setdefault(id(job), (job, []))[1]
        causes.append(cause)
        return len(causes) < self.attempts

    def is_last(self, job: J) -> bool:
        """Whether the next attempt is the last: nothing else should run beside it, in case memory is short."""
        return len(self.causes(job)) == self.attempts - 1 > 0

    def causes(self, job: J) -> list[str]:
        return self._causes.get(id(job), (job, []))[1]

    def reason(self, job: J) -> str:
        """Why a job was given up, each cause once."""
        causes = self.causes(job)
        return f"tried {len(causes)} times: {'; '.join(dict.fromkeys(causes))}"


@dataclass(frozen=True)
class Vitals:
    """Of a process and its children that ended.

    Attributes:
        cpu_s: processor time so far.
        memory: bytes resident now.
    """

    cpu_s: float
    memory: int


@final
class Vigil:
    """Watches one job in one worker.

    A worker hangs that for `limit_s` neither used the processor nor beat: stopped, waiting for a lock or for a
    disk that is gone. While steps are being taken, one hangs too that uses the processor and comes to no next
    step, for `limit_s` and for 50 times as long as a step takes. Loading, compiling and evaluating have no steps:
    only the first rule holds there.

    Args:
        limit_s: 0 sees no hang.
        beats: files of the job's heartbeats.
    """

    def __init__(self, limit_s: float, beats: tuple[Path, ...] = ()) -> None:
        self.limit_s, self.beats = limit_s, beats
        self.still_s = self.stuck_s = self.busy_s = 0.0
        self.steps = 0
        self._looked: float | None = None
        self._cpu_s: float | None = None
        self._beat_ns, self._beat = 0, heartbeat.Beat()

    def hangs(self, now: float, vitals: Vitals | None) -> str:
        """Why it counts as hung; empty where it does not.

        Args:
            now: of a clock that does not run back, s.
            vitals: None where they are not known.
        """
        if not self.limit_s or (self._looked is not None and now - self._looked < LOOK_S):
            return ""
        passed_s = 0.0 if self._looked is None else min(now - self._looked, MOST_S)
        self._looked = now
        beaten = self._listen(passed_s)
        worked = vitals is None or vitals.cpu_s != self._cpu_s
        self._cpu_s = vitals.cpu_s if vitals else None
        self.still_s = 0.0 if beaten or worked else self.still_s + passed_s
        if self.still_s >= self.limit_s:
            return f"its worker process hung: no sign of life for {self.still_s:.0f} s"
        usual = self.steps >= FEWEST_STEPS
        if usual and self.stuck_s >= max(self.limit_s, STEPS * self.busy_s / self.steps):
            return f"its worker process hung: no next step for {self.stuck_s:.0f} s after step {self._beat.step:,}"
        return ""

    def _listen(self, passed_s: float) -> bool:
        """Whether it beat since; counts the time for which a step lasts."""
        beat_ns = 0
        for path in self.beats:
            with suppress(OSError):  # not begun
                beat_ns = max(beat_ns, path.stat().st_mtime_ns)
        beaten, self._beat_ns = beat_ns != self._beat_ns, beat_ns
        if beaten:
            before, self._beat = self._beat, max(map(heartbeat.read, self.beats), key=lambda beat: beat.step)
            if before.step and self._beat.step > before.step and not before.resting:
                self.steps += self._beat.step - before.step
                self.busy_s += self.stuck_s + passed_s
            self.stuck_s = 0.0
        elif not self._beat.resting and self._beat.step < self._beat.steps:
            self.stuck_s += passed_s
        return beaten


def how_it_ended(exitcode: int | None, memory: int | None, out_of_memory: bool = False) -> str:
    """How a worker process ended that was not to end.

    Args:
        exitcode: as of `multiprocessing`: the negative number of a signal; None where it is not known.
        memory: bytes that it held when it was last seen.
        out_of_memory: the system killed some process meanwhile for want of memory.

    >>> how_it_ended(-9, 1_230_000_000)
    'its worker process was killed (SIGKILL) when it held 1.23 GB of memory, perhaps because memory was short'
    """
    held = f" when it held {_bytes(memory)} of memory" if memory else ""
    if exitcode is None:
        return f"its worker process was killed{held}"
    if exitcode >= 0:
        return f"its worker process ended by itself (exit code {exitcode}){held}"
    name = signal.Signals(-exitcode).name if -exitcode in set(signal.Signals) else f"signal {-exitcode}"
    if name != "SIGKILL":
        return f"its worker process was ended by a signal ({name}){held}"
    why = "because memory was short" if out_of_memory else "perhaps because memory was short"
    return f"its worker process was killed (SIGKILL){held}, {why}"


def _bytes(number: int) -> str:
    """
    >>> _bytes(1_230_000_000)
    '1.23 GB'
    """
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number / 1000:.3g} kB"


def memory_kills() -> int:
    """How many processes the system has killed for want of memory: of this container where it says so, else of the
    machine; 0 where it is not known."""
    for path in (Path("/sys/fs/cgroup/memory.events"), Path("/proc/vmstat")):
        with suppress(OSError, ValueError):
            for line in path.read_text(encoding="ascii").splitlines():
                name, _, number = line.partition(" ")
                if name == "oom_kill":
                    return int(number)
    return 0

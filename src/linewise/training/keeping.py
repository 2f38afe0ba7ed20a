"""Who keeps the state of a training while it goes on: nobody, or a folder of checkpoints."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, final

from linewise.foundations.interrupts import Stopped
from linewise.foundations.records import Epoch
from linewise.training.state import State

EVERY_S = 30.0
EPOCH_S = 5.0
"""At the end of an epoch a checkpoint is written when the last one is so old, or half as old as all are to be."""
SHARE = 50
"""Checkpoints wait for so many times as long as the last one took: at most 2 % of the time goes into them."""


class Shelf(Protocol):
    """Where states are kept: `Checkpoints`, or what stands for them among ranks."""

    folder: Path
    started: str
    changed: list[str]

    def save(self, state: State) -> None: ...

    def restore(self, state: State) -> tuple[bool, list[str]]: ...


class Asked(Protocol):
    """Whether to stop: a `Stop`, or what ranks agreed on.

    Attributes:
        at_once: a signal may end what is going on between two steps.
        held: a signal is noted only.
    """

    at_once: bool

    @property
    def held(self) -> bool: ...

    @held.setter
    def held(self, held: bool) -> None: ...

    def check(self) -> None: ...


class Keeper(ABC):
    """Told by the training loop where it is."""

    @contextmanager
    def keeping(self, state: State) -> Iterator[None]:
        """From before the first step to after the last epoch; may put the state where an earlier training was."""
        yield

    @abstractmethod
    def step_taken(self) -> float:
        """After each step; gives the seconds that this took."""

    @contextmanager
    def resting(self) -> Iterator[None]:
        """While the validation images are answered: the state does not change."""
        yield

    @abstractmethod
    def epoch_ended(self) -> None:
        """After each epoch."""


@final
class Forgetful(Keeper):
    """Keeps nothing."""

    def step_taken(self) -> float:
        return 0.0

    def epoch_ended(self) -> None:
        pass


@final
class Diligent(Keeper):
    """Keeps checkpoints by time, and stops between two steps when the process is asked to.

    Args:
        checkpoints: where they are kept.
        stop: asked after each step; signals wait for the step to end.
        every_s: seconds from one to the next; 0 writes one after each step.
        warned: told once why none can be written, and of those that were passed over.
        begun: told where training goes on: steps taken, steps in all, epochs that are over.
        rests: told that the validation images are being answered, and that they have been.
    """

    def __init__(
        self,
        checkpoints: Shelf,
        stop: Asked,
        *,
        every_s: float = EVERY_S,
        warned: Callable[[str], None] = lambda text: None,
        begun: Callable[[int, int, list[Epoch]], None] = lambda step, steps, epochs: None,
        rests: Callable[[bool], None] = lambda resting: None,
    ) -> None:
        self.checkpoints, self.stop, self.every_s, self.warned, self.begun, self.rests = (
            checkpoints, stop, every_s, warned, begun, rests,
        )  # fmt: skip
        self._state: State | None = None
        self._last, self._cost, self._failed = 0.0, 0.0, False

    @contextmanager
    def keeping(self, state: State) -> Iterator[None]:
        found, remarks = self.checkpoints.restore(state)
        for remark in remarks:
            self.warned(remark)
        if found:
            self.begun(state.step, state.steps, list(state.outcome.epochs))
        self._state, self._last = state, time.monotonic()
        self.stop.held = True
        stopped = False
        try:
            yield
        except Stopped:
            stopped = True
            raise
        finally:  # a signal of its own, for a rank that stops because of another, would end the writing of `save`
            self.stop.held = stopped

    def step_taken(self) -> float:
        spent = self._save() if self._is_old(self.every_s) else 0.0
        self.stop.check()
        return spent

    @contextmanager
    def resting(self) -> Iterator[None]:
        self.stop.held = not self.stop.at_once
        self.stop.check()
        self.rests(True)
        yield
        self.rests(False)
        self.stop.held = True

    def epoch_ended(self) -> None:
        if self._is_old(min(EPOCH_S, self.every_s / 2)):
            self._save()
        self.stop.check()

    def save(self) -> None:
        """The state as it is, where training has begun and did not diverge; to be called when it was stopped.

        A signal, but for a second Ctrl-C, waits for its end from here on.
        """
        if self._state is not None and not self._state.outcome.diverged:
            self.stop.held = True
            self._save(stopping=True)

    def _is_old(self, seconds: float) -> bool:
        """Whether so long has passed since the last one, and long enough for what it cost."""
        return time.monotonic() - self._last >= (max(seconds, SHARE * self._cost) if self.every_s else 0)

    def _save(self, *, stopping: bool = False) -> float:
        assert self._state is not None
        started = time.monotonic()
        try:
            self.checkpoints.save(self._state)
        except OSError as error:
            if stopping or not self._failed:
                mend = "move the folder back" if isinstance(error, FileNotFoundError) else "make room"
                then = "" if stopping else f", and training goes on: {mend}, it is tried again"
                self.warned(
                    f"no checkpoint could be written in {self.checkpoints.folder} ({error.strerror}); "
                    f"the one before is intact{then}"
                )
            self._failed = True
        else:
            self._failed = False
        self._last = time.monotonic()
        self._cost = self._last - started
        return self._cost

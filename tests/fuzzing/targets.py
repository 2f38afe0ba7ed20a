"""What is fuzzed: each loader with whole files to begin from, and where their spoilt copies are put.

A target's `feed` may raise `LinewiseError` and nothing else. `attempt` adds what else is promised: less than a second
of the processor, less than 512 MB.
"""

from __future__ import annotations

import time
import traceback
import warnings
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from fuzzing.mutators import Mutator, spoil_bytes
from linewise.foundations.errors import LinewiseError
from memory import forget_peak, peak

MOST_S, MOST_BYTES, NOTABLE_BYTES = 1.0, 512 * 2**20, 32 * 2**20


class Target(ABC):
    """One loader.

    Args:
        folder: an empty folder of its own.
    """

    name: ClassVar[str]
    spoil: ClassVar[Mutator] = staticmethod(spoil_bytes)
    most_s: ClassVar[float] = MOST_S

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        forget_peak()
        self.peak = peak()

    def prepare(self) -> None:  # noqa: B027
        """Write what lies around the file that is spoilt."""

    @abstractmethod
    def seeds(self) -> list[bytes]:
        """Whole inputs."""

    @abstractmethod
    def feed(self, data: bytes) -> None:
        """Load an input.

        Raises:
            LinewiseError: it is no good.
        """


def attempt(target: Target, data: bytes) -> str:
    """Feed one input; what went wrong that must not, or nothing."""
    started = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            target.feed(data)
    except LinewiseError as error:
        wrong = _unfit(error)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        wrong = "".join(traceback.format_exception_only(error)).strip()[:300] + f" at {_where(error)}"
    else:
        wrong = ""
    seconds, more = time.process_time() - started, peak() - target.peak
    if seconds > target.most_s:
        wrong += f" took {seconds:.1f} s"
    if more > MOST_BYTES:
        wrong += f" took {more / 2**20:,.0f} MB"
    if more > NOTABLE_BYTES:
        forget_peak()
        target.peak = peak()
    return wrong


def _unfit(error: LinewiseError) -> str:
    """Why a message cannot be shown to people."""
    said = str(error)
    try:
        said.encode("utf-8")
    except UnicodeEncodeError:
        return f"a message that cannot be printed: {said[:200]!r}"
    return "" if error.found.strip() and len(said) < 4000 else f"a message of {len(said)} letters: {said[:200]!r}"


def _where(error: BaseException) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/linewise/" in f.filename]
    last = frames[-1:] or traceback.extract_tb(error.__traceback__)[-1:]
    return ", ".join(f"{Path(f.filename).name}:{f.lineno}" for f in last)

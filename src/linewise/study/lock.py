"""One launcher per study; a second one is refused and told who the first is.

The system's lock (flock) frees itself when its process ends, however it ends. File systems that machines share may
keep it for each machine alone, or not at all: there the owner's record says on which machine it is held, and since
when nothing was heard of it.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from linewise.foundations.errors import ConfigError

SEEN_S = 10.0
"""The owner says so often that it is there."""
GONE_S = 120.0
"""After so long without a word it is gone; clocks of two machines may differ by some of it."""
LOCAL = {
    "apfs",
    "bcachefs",
    "btrfs",
    "ext2",
    "ext3",
    "ext4",
    "f2fs",
    "hfs",
    "ntfs",
    "overlay",
    "tmpfs",
    "xfs",
    "zfs",
}
"""File systems of one machine, whose locks hold."""
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextmanager
def hold(study: Path, by: str = "a running study", *, shown: Path | None = None) -> Iterator[None]:
    """Hold a study's lock.

    Args:
        by: who may hold it, for messages.
        shown: the folder that messages name, where it is another one.

    Raises:
        ConfigError: another live process holds it, here or on another machine, or the folder cannot be written.
    """
    owner, elsewhere = study / ".lock.json", "" if shown else ", or choose another --out"
    lock = None
    try:
        study.mkdir(parents=True, exist_ok=True)
        lock = _system_lock(study / ".lock")
    except Timeout:
        raise ConfigError(
            f"in use by {by} ({_in_words(_read(owner))})",
            where=str(shown or study),
            mend=f"wait for it to end{elsewhere}",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"cannot be written ({error.strerror})", where=str(shown or study), mend=f"make it writable{elsewhere}"
        ) from None
    try:
        other = _read(owner)
        if _may_live(other, locks=lock is not None, shared=is_shared(study)):
            raise ConfigError(
                f"in use by {by} ({_in_words(other)}, last seen {_age_s(other):.0f} s ago)",
                where=str(shown or study),
                expected="one machine at a time",
                mend=f"wait for it to end{elsewhere}; where that machine is gone, the same command works "
                f"{GONE_S:.0f} s after it was last seen",
            )
        with _shown_as_owner(owner):
            yield
    finally:
        if lock is not None:
            lock.release()


def _system_lock(path: Path) -> FileLock | None:
    """Taken at once or not; None where the file system keeps no locks."""
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except NotImplementedError:
        return None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return None
    return lock


@contextmanager
def _shown_as_owner(owner: Path) -> Iterator[None]:
    """The record, kept fresh."""
    me = {"pid": os.getpid(), "host": platform.node(), "since": _now().isoformat(timespec="seconds")}
    ended = threading.Event()

    def write() -> None:
        draft = owner.with_name(f"{owner.name}.draft")
        draft.write_text(json.dumps({**me, "seen": _now().isoformat(timespec="seconds")}), encoding="utf-8")
        os.replace(draft, owner)

    def beat() -> None:
        while not ended.wait(SEEN_S):
            with suppress(OSError):  # a full disk: later perhaps
                write()

    thread = threading.Thread(target=beat, daemon=True)
    try:
        write()
        thread.start()
        yield
    finally:
        ended.set()
        if thread.ident is not None:
            thread.join()
        with suppress(OSError):
            owner.unlink(missing_ok=True)


def _may_live(other: dict[str, Any], *, locks: bool, shared: bool) -> bool:
    """Whether the owner that a record names may be at work although the system's lock is free.

    Args:
        locks: the file system keeps locks.
        shared: perhaps for each machine alone.
    """
    if not other:
        return False
    if other["host"] == platform.node():
        return not locks and other["pid"] != os.getpid() and psutil.pid_exists(other["pid"])
    return (shared or not locks) and _age_s(other) < GONE_S


def is_shared(folder: Path) -> bool:
    """Whether several machines may see a folder: its file system is none that is known to be of one machine."""
    place, kinds = folder.resolve(), dict[Path, str]()
    for part in psutil.disk_partitions(all=True):
        kinds[Path(part.mountpoint)] = part.fstype.lower()
    return next((kinds[p] for p in (place, *place.parents) if p in kinds), "unknown") not in LOCAL


def _age_s(other: dict[str, Any]) -> float:
    """Since the owner was last seen; without end where it does not tell."""
    try:
        return max(0.0, (_now() - datetime.fromisoformat(other.get("seen") or other["since"])).total_seconds())
    except (ValueError, TypeError, KeyError):
        return float("inf")


def _now() -> datetime:
    return datetime.now(UTC)


def _read(owner: Path) -> dict[str, Any]:
    """Empty where it tells nothing."""
    try:
        told = json.loads(owner.read_text(encoding="utf-8"))
        return told if isinstance(told["pid"], int) and isinstance(told["host"], str) else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def _in_words(other: dict[str, Any]) -> str:
    if not other:
        return "process unknown"
    return f"process {other['pid']} on {other['host']}, since {other.get('since', 'an unknown time')}"

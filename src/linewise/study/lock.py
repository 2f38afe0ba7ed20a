"""One launcher per study; a second one is refused and told who the first is."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from linewise.foundations.errors import ConfigError


@contextmanager
def hold(study: Path, by: str = "a running study", *, shown: Path | None = None) -> Iterator[None]:
    """Hold a study's lock. The system frees it when the process ends, however it ends.

    Args:
        by: who may hold it, for messages.
        shown: the folder that messages name, where it is another one.

    Raises:
        ConfigError: another live process holds it, or the folder cannot be written.
    """
    owner = study / ".lock.json"
    try:
        study.mkdir(parents=True, exist_ok=True)
        lock = FileLock(study / ".lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise ConfigError(
            f"in use by {by} ({_describe(owner)})",
            where=str(shown or study),
            mend="wait for it to end" + ("" if shown else ", or choose another --out"),
        ) from None
    except OSError as error:
        raise ConfigError(
            f"cannot be written ({error.strerror})", where=str(shown or study), mend="choose another --out"
        ) from None
    try:
        me = {
            "pid": os.getpid(),
            "host": platform.node(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        owner.write_text(json.dumps(me), encoding="utf-8")
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _describe(owner: Path) -> str:
    try:
        me = json.loads(owner.read_text(encoding="utf-8"))
        return f"process {me['pid']} on {me['host']}, since {me['since']}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "process unknown"

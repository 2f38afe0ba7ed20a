"""What a task does on a node: a folder for one job, the job, and what came of it."""

from __future__ import annotations

import hashlib
import platform
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from linewise.foundations.interrupts import STOP
from linewise.foundations.scratch import scratch
from linewise.foundations.version import version
from linewise.study.cluster.baggage import Baggage, Content, moved, place_in, read_all, read_folder
from linewise.study.cluster.post import Courier
from linewise.study.executors import reason

PACKAGES = ("torch", "numpy", "llvmlite")


@dataclass(frozen=True)
class Parcel:
    """One attempt at a job.

    Attributes:
        token: tells it from other attempts.
        files: what the job reads.
        software: of the launcher, which the node is to have too.
    """

    token: str
    job: Any
    baggage: Baggage
    files: dict[Path, Content]
    software: dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        node: where.
        failure: why the job failed; empty where it did not.
        stopped: it was asked to stop, and its checkpoint sent.
        unlike: software in which the node differs from the launcher, in words; then nothing was tried.
        made: files and folders to be written whole, by the launcher's paths.
        changed: files to be replaced.
    """

    node: str
    failure: str = ""
    stopped: bool = False
    unlike: str = ""
    made: dict[Path, Content] = field(default_factory=dict)
    changed: dict[Path, Content] = field(default_factory=dict)


def carry_out(function: Callable[[Any], None], parcel: Parcel, post: Any) -> Outcome:
    """One attempt, in a worker of Ray's.

    Raises:
        SystemExit: this process was told to end; a checkpoint was sent.
    """
    node = platform.node()
    if unlike := unlike_software(parcel.software):
        return Outcome(node, unlike=unlike)
    bag = parcel.baggage
    with scratch() as folder:
        place = place_in(folder)
        _unpack(parcel.files, place)
        before = {path: _state(place(path)) for path in bag.changes}
        for path in (*bag.makes, *bag.beats):
            place(path).parent.mkdir(parents=True, exist_ok=True)
        beats, checkpoints = ({path: place(path) for path in paths} for paths in (bag.beats, bag.checkpoints))
        hear_cancelling()
        try:
            with Courier(post, parcel.token, beats, checkpoints), STOP.heeded():
                function(moved(parcel.job, place))
        except KeyboardInterrupt:  # what Ray makes of being cancelled
            return Outcome(node, stopped=True)
        except Exception as error:
            return Outcome(node, failure=reason(error))
        made = {path: read_all([place(path)]).get(place(path)) for path in bag.makes}
        changed = {path: _changed(place(path), before[path]) for path in bag.changes}
        return Outcome(
            node,
            made={path: content for path, content in made.items() if content is not None},
            changed={path: content for path, content in changed.items() if content},
        )


def hear_cancelling() -> None:
    """Ray cancels a task by what Ctrl-C sends, which its workers pass over where Ray was begun by something that
    does: nohup, or a script's background."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@lru_cache
def software() -> dict[str, str]:
    """What decides the bits of a run: Linewise to its last letter, and the packages that compute."""
    digest, root = hashlib.sha256(), Path(__file__).parents[2]
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    found = {"linewise": f"{version()} (code {digest.hexdigest()[:8]})"}
    for package in PACKAGES:
        try:
            found[package] = installed(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def unlike_software(wanted: dict[str, str]) -> str:
    """How this process differs from the launcher; empty where it does not.

    >>> unlike_software({**software(), "torch": "1.0"}).startswith("torch ")
    True
    """
    here = software()
    return "; ".join(
        f"{name} {here[name]} there, {wanted[name]} here" for name in here if here[name] != wanted[name]
    )


def _unpack(files: dict[Path, Content], place: Callable[[Path], Path]) -> None:
    for path, content in files.items():
        there = place(path)
        parts = (
            {there: content} if isinstance(content, bytes) else {there / n: data for n, data in content.items()}
        )
        for file, data in parts.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


def _state(path: Path) -> dict[str, bytes] | bytes:
    """What changes when a file is replaced: its digest, to be small."""
    if path.is_dir():
        return {name: hashlib.sha256(data).digest() for name, data in read_folder(path).items()}
    return hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b""


def _changed(path: Path, before: dict[str, bytes] | bytes) -> Content | None:
    now = _state(path)
    if isinstance(now, dict):
        known = before if isinstance(before, dict) else {}
        return {name: (path / name).read_bytes() for name in now if now[name] != known.get(name)}
    return path.read_bytes() if now and now != before else None

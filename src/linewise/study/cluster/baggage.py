"""What a job needs on another machine, and what of it comes back: nothing is taken to be shared but the network.

Paths are those of the launcher, absolute. On a node each has its place in a folder of the job's own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import singledispatch
from pathlib import Path
from typing import Any

from linewise.study.examination import Examination, Timing
from linewise.study.job import Arrays, Job
from linewise.study.keeping import CHECKPOINT
from linewise.study.together import Group

Content = bytes | dict[str, bytes]
"""Of a file, or of the files of a folder by their names."""


@dataclass(frozen=True)
class Baggage:
    """The files of a job.

    Attributes:
        reads: files and folders that are sent along, where they are there.
        makes: a file or folder that comes into being, or is replaced, as a whole.
        changes: folders in which some files may be replaced, or files.
        beats: files that are sent back again and again while the job goes on.
        checkpoints: folders of checkpoints, the newest of which is sent back whenever there is a newer one.
    """

    reads: tuple[Path, ...] = ()
    makes: tuple[Path, ...] = ()
    changes: tuple[Path, ...] = ()
    beats: tuple[Path, ...] = ()
    checkpoints: tuple[Path, ...] = ()


@singledispatch
def baggage_of(job: Any) -> Baggage:
    """Of a job without files, such as one of a test."""
    return Baggage()


@baggage_of.register
def _(job: Job) -> Baggage:
    checkpoints = (job.path / CHECKPOINT,)
    return Baggage(reads=checkpoints, makes=(job.path,), beats=(job.heartbeat,), checkpoints=checkpoints)


@baggage_of.register
def _(group: Group) -> Baggage:
    parts = [baggage_of(job) for job in group.jobs]
    return Baggage(**{f.name: tuple(p for part in parts for p in getattr(part, f.name)) for f in fields(Baggage)})


@baggage_of.register
def _(job: Examination) -> Baggage:
    return Baggage(reads=(job.path,), changes=(job.path,))


@baggage_of.register
def _(job: Timing) -> Baggage:
    records = tuple(path / "run.json" for path in job.paths)
    networks = tuple(path / name for path in job.timed for name in ("model.json", "model.safetensors", "run.json"))
    answers = tuple(path / "predictions.npz" for path in job.paths)
    return Baggage(
        reads=(*records, *answers, *networks), makes=(job.speed,), changes=records, beats=(job.heartbeat,)
    )


def moved(value: Any, place: Callable[[Path], Path], stored: Callable[[Arrays], Arrays] = lambda a: a) -> Any:
    """A job, or another value, with its paths in another place.

    Args:
        stored: gives what a job is to have for its images.
    """
    if isinstance(value, Path):
        return place(value)
    if isinstance(value, Arrays):
        return stored(value)
    if isinstance(value, tuple | list):
        return type(value)(moved(part, place, stored) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: moved(getattr(value, f.name), place, stored) for f in fields(value) if f.init}
        return replace(value, **parts)
    return value


def absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))


def place_in(folder: Path) -> Callable[[Path], Path]:
    """Where a path of the launcher is on a node."""
    return lambda path: folder.joinpath(*path.parts[1:])


def read_all(paths: Iterable[Path]) -> dict[Path, Content]:
    """Files and folders that are there; files that vanish meanwhile are left out."""
    found: dict[Path, Content] = {}
    for path in paths:
        if path.is_dir():
            found[path] = read_folder(path)
        elif path.is_file():
            found[path] = path.read_bytes()
    return found


def read_folder(folder: Path) -> dict[str, bytes]:
    """Its files, without folders and without what is half-written."""
    content = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            content[path.name] = path.read_bytes()
    return content

"""In the launcher: what came back is written, each file and each folder whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from linewise.foundations.atomic import replace_file
from linewise.study.cluster.baggage import Content
from linewise.study.storage import new_run_folder
from linewise.training.checkpoints import KEPT


def deliver_result(path: Path, content: Content) -> None:
    """A file, or the folder of a run.

    Raises:
        OSError: it cannot be written; what was there before is as it was.
    """
    if isinstance(content, bytes):
        _write(path, content)
        return
    with new_run_folder(path) as draft:
        for name, data in content.items():
            _write(draft / name, data)


def deliver_changes(path: Path, content: Content) -> None:
    """A file, or some files of a folder.

    Raises:
        OSError: as above, for each file.
    """
    if isinstance(content, bytes):
        _write(path, content)
        return
    for name, data in content.items():
        _write(path / name, data)


def deliver_letter(path: Path, content: Content) -> None:
    """A heartbeat, or a checkpoint, of which the newest two are kept; a full disk keeps nobody from training."""
    with suppress(OSError):
        if isinstance(content, bytes):
            draft = path.with_suffix(".draft")
            draft.write_bytes(content)
            os.replace(draft, path)
            return
        path.mkdir(parents=True, exist_ok=True)
        for name in sorted(content, reverse=True):  # .safetensors before .json
            _write(path / name, content[name])
        numbers = sorted(p.stem for p in path.glob("[0-9]*.json"))
        for old in path.glob("[0-9]*.*"):
            if old.stem in numbers[:-KEPT]:
                old.unlink()


def _write(path: Path, data: bytes) -> None:
    with replace_file(path) as file:
        file.write(data)

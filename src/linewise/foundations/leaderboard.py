"""`benchmarks/LEADERBOARD.md`: tables of speed, each under its date and machine, the newest first."""

from __future__ import annotations

import re
from pathlib import Path

from linewise.foundations.atomic import write_text
from linewise.foundations.errors import ConfigError

HEAD = """# Speed, by date and machine

Written by `linewise bench --write` and by the scripts in this folder. Figures of one table were measured in turns
and can be compared; those of two tables cannot. [LOG.md](LOG.md) keeps what was tried and did not help.
"""
FIRST_LINE = HEAD.splitlines()[0]


def refuse_other_files(path: Path) -> None:
    """Say before anything is timed that a file cannot take a table.

    Raises:
        ConfigError: it cannot be read or its folder is missing, or it is another kind of file.
    """
    text = _read(path)
    if text is not None and not text.startswith(FIRST_LINE):
        raise ConfigError(
            "is there already and is no table of speeds",
            where=str(path),
            expected=f"a file that begins with {FIRST_LINE!r}, or none",
            mend="choose another --write",
        )


def keep(path: Path, title: str, body: str) -> None:
    """Add a section on top of the others; one with the same title is replaced.

    Raises:
        ConfigError: the file cannot be read or written, or is another kind of file.
    """
    refuse_other_files(path)
    sections = [
        s for s in re.split(r"(?m)^(?=## )", _read(path) or HEAD)[1:] if s.splitlines()[0] != f"## {title}"
    ]
    text = "\n".join([HEAD, *(s.rstrip() + "\n" for s in [f"## {title}\n\n{body}", *sections])])
    try:
        write_text(path, text)
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror})", where=str(path)) from None


def _read(path: Path) -> str | None:
    if not path.parent.is_dir():
        raise ConfigError(f"there is no folder {path.parent}", where=str(path), mend="choose another --write")
    try:
        return path.read_text(encoding="utf-8") if path.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read ({error})", where=str(path), mend="choose another --write") from None

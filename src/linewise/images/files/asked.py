"""Which images a user asks about: files, all images below folders, and what comes on standard input."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from linewise.foundations.errors import ConfigError, DataError
from linewise.images.files.decode import MEND, SUFFIXES, starts_an_image
from linewise.images.files.listing import JUNK, MAX_DEPTH, is_folder, is_image, shown

STDIN = "-"
MOST_BYTES = 1 << 29
"""What is read of standard input at most."""
TEXT = bytes(byte for byte in range(256) if byte in b"\t\n\r" or (byte >= 32 and byte != 127))
"""Bytes of a text in any encoding that file names have."""


@dataclass(frozen=True)
class Source:
    """One image to be read.

    Attributes:
        path: what it is called, as text that can be printed.
        file: the file, or its bytes.
        short: its path below the folder that was named; its name where it was named itself.
    """

    path: str
    file: Path | bytes
    short: str

    def open(self) -> Path | IO[bytes]:
        """What decoders take."""
        return io.BytesIO(self.file) if isinstance(self.file, bytes) else self.file


@dataclass
class Asked:
    """All that was asked about.

    Attributes:
        sources: in the order of the arguments; of a folder, sorted.
        errors: what cannot be looked into.
        left_out: files in folders that are no images, by name and by content.
    """

    sources: list[Source] = field(default_factory=list)
    errors: list[DataError] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def asked(arguments: Sequence[Path], stdin: IO[bytes]) -> Asked:
    """Images of files, folders (all below them, without what is hidden or left by file managers) and `-`.

    Args:
        stdin: read where an argument is `-`: an image, or a list of files and folders, one on a line or separated
            by zero bytes.

    Raises:
        ConfigError: `-` twice.
    """
    if sum(str(argument) == STDIN for argument in arguments) > 1:
        raise ConfigError("- twice", expected="standard input once")
    found = Asked()
    for argument in arguments:
        if str(argument) == STDIN:
            _from_stdin(found, stdin)
        else:
            _from_path(found, argument)
    return found


def _from_path(found: Asked, path: Path) -> None:
    if not path.is_dir():
        found.sources.append(Source(shown(str(path)), path, shown(path.name)))
        return
    before = len(found.sources), len(found.errors)
    _walk(found, path, path, ())
    if before == (len(found.sources), len(found.errors)):
        found.errors.append(DataError("holds no images", where=shown(str(path)), expected="images"))


def _walk(found: Asked, root: Path, folder: Path, above: tuple[str, ...]) -> None:
    """A link that leads back to a folder above it is not followed: the images there are named once."""
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        if len(above) > MAX_DEPTH:
            raise OSError(0, f"it lies more than {MAX_DEPTH} folders deep")
        with os.scandir(folder) as entries:
            items = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        where = shown(str(folder))
        found.errors.append(DataError(f"cannot be listed ({error.strerror})", where=where, expected="a folder"))
        return
    for item in items:
        path = folder / item.name
        if JUNK.fullmatch(item.name):
            continue
        if is_folder(item):
            _walk(found, root, path, (*above, real))
        elif path.suffix.lower() in SUFFIXES or (path.is_file() and is_image(path)):  # opening a pipe would wait
            found.sources.append(Source(shown(str(path)), path, shown(path.relative_to(root).as_posix())))
        else:
            found.left_out.append(shown(str(path)))


def _from_stdin(found: Asked, stdin: IO[bytes]) -> None:
    content = stdin.read(MOST_BYTES + 1)
    names = _names(content)
    if len(content) > MOST_BYTES:
        found.errors.append(_no_image(f"more than {MOST_BYTES >> 20} MiB"))
    elif not content.strip():
        found.errors.append(_no_image("nothing came"))
    elif not names:
        found.sources.append(Source(STDIN, content, "stdin"))
    elif not any(map(os.path.exists, names)):
        found.errors.append(_no_image(f"is no image, and no file is called {shown(names[0])[:80]!r}"))
    else:
        for name in names:
            _from_path(found, Path(name))


def _no_image(text: str) -> DataError:
    return DataError(text, where=STDIN, expected="an image, or a list of files, one on a line", mend=MEND)


def _names(content: bytes) -> list[str]:
    """The files of a list; none where this is no list: an image, other bytes than those of text, or a web page."""
    start = content[:4096].replace(b"\0", b"")
    if starts_an_image(content) or start.lstrip().startswith(b"<") or start.translate(None, TEXT):
        return []
    lines = content.split(b"\0" if b"\0" in content else b"\n")
    return [os.fsdecode(line.removesuffix(b"\r")) for line in lines if line.strip()]

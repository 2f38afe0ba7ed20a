"""A disk that is full, that fails or that may not be written: one place that says so."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import final

from linewise.foundations.errors import ConfigError, LinewiseError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
FAILING = FULL | {
    errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOTCONN,
}  # fmt: skip


@final
class DiskError(LinewiseError):
    """A disk that is full, that fails, or that may not be written. Exit code 4."""

    exit_code = 4


class DiskFailure(str):
    """Why a job failed, where the disk is to blame: that is no result of the job, which is to be done again."""


def error_for(failure: str) -> type[LinewiseError]:
    """The error that tells a person why a job failed: one of the disk, where that is to blame."""
    return DiskError if isinstance(failure, DiskFailure) else ConfigError


def is_of_disk(error: OSError) -> bool:
    """Whether an error tells of the disk, and not of a mistake of ours; NumPy says without a number that it could
    not write all."""
    return error.errno in FAILING or (error.errno is None and "requested and" in str(error))


def in_words(error: OSError) -> str:
    """File and cause, without the numbers that only programmers read.

    >>> in_words(OSError(errno.ENOSPC, "No space left on device", "s/study.json"))
    's/study.json: No space left on device'
    """
    file = error.filename2 or error.filename
    return f"{file}: {_why(error)}" if isinstance(file, str) else _why(error)


def _why(error: OSError) -> str:
    if _is_limit(error):
        return (
            f"{os.strerror(errno.EFBIG)} for the limit on the size of files (`ulimit -f`), or for its file system"
        )
    return error.strerror or f"{os.strerror(errno.ENOSPC)}, or the disk fails"  # NumPy does not say which


def _is_limit(error: OSError) -> bool:
    """Whether a limit stands in the way; where NumPy does not say what does, whether there is one."""
    if error.errno is not None:
        return error.errno == errno.EFBIG
    with suppress(ImportError):  # as on Windows
        import resource

        return resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY
    return False


@contextmanager
def watched(folder: Path, then: str) -> Iterator[None]:
    """Turn errors of the disk into ours.

    Args:
        folder: what is being written, where the error names no file.
        then: what to do when the disk is mended, such as "the same command goes on".

    Raises:
        DiskError: the disk is full or fails.
    """
    try:
        yield
    except OSError as error:
        if not is_of_disk(error):
            raise
        raise disk_error(error, folder, then) from error


@contextmanager
def staying(file: Path, then: str) -> Iterator[None]:
    """Whatever goes wrong because a folder was moved or removed under our hands is told as that.

    Args:
        file: one of the folder's, which is there now.
        then: what to do when it is back, such as "the same command goes on".

    Raises:
        DiskError: the file is there no more.
    """
    try:
        yield
    except (OSError, LinewiseError) as error:
        if file.exists():
            raise
        raise moved_error(file.parent, file.name, then) from error


@final
class Whereabouts:
    """Whether a folder is where it was, while others write in it: they would make it anew, without what it held.

    Args:
        files: of the folder; one of them is there as long as it is.
        then: what to do when it is back.
    """

    def __init__(self, files: tuple[Path, ...], then: str) -> None:
        self.files, self.then, self.missed = files, then, 0

    def look(self) -> None:
        """Several times a second.

        Raises:
            DiskError: it is not; once may be the moment in which one takes the other's place.
        """
        self.missed = 0 if any(file.is_file() for file in self.files) else self.missed + 1
        if self.missed > 1:
            folder = Path(os.path.commonpath([file.parent for file in self.files]))
            raise moved_error(folder, str(self.files[0].relative_to(folder)), self.then)


def moved_error(folder: Path, missing: str, then: str) -> DiskError:
    """The error for a folder that is not where it was."""
    return DiskError(
        f"it was moved or removed in the meantime: no {missing} there now",
        where=str(folder),
        mend=f"move it back; {then}",
    )


def disk_error(error: OSError, folder: Path, then: str) -> DiskError:
    """The error for a person: what is needed, what is kept, what goes on."""
    file = error.filename2 or error.filename
    full = error.errno in FULL or error.errno is None
    limited = _is_limit(error)
    need = "raise it, or take another disk" if limited else "make room" if full else "see to the disk"
    return DiskError(
        _why(error) + (_free(folder) if full and not limited else ""),
        where=file if isinstance(file, str) else str(folder),
        expected="" if full else "a disk that can be read and written by you",
        mend=f"{need}; {then}",
    )


def _free(folder: Path) -> str:
    for place in (folder, *folder.absolute().parents):
        if place.exists():
            with suppress(OSError):
                return f" ({shutil.disk_usage(place).free / 1e6:,.1f} MB are free)"
    return ""

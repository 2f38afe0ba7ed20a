"""How much memory there is, and from which size on images stay on disk."""

from __future__ import annotations

import os
from pathlib import Path

from linewise.foundations.amounts import parse_bytes, write_bytes
from linewise.foundations.errors import DataError

VARIABLE = "LINEWISE_IN_MEMORY"
SHARE = 4
"""One part in so many of the memory that is free may be taken by images, unless `LINEWISE_IN_MEMORY` says so."""


def in_memory_limit() -> int:
    """Bytes of decoded images up to which a set is kept in memory; larger ones are read from disk.

    Raises:
        ConfigError: `LINEWISE_IN_MEMORY` is no amount.
    """
    if said := os.environ.get(VARIABLE):
        return parse_bytes(said, VARIABLE)
    return available_bytes() // SHARE


def check_fits(needed: int, what: str, where: str) -> None:
    """Refuse what would take more memory than there is, before any of it is read.

    Args:
        what: such as `images of 28×28`, for the message.

    Raises:
        DataError: saying both amounts.
    """
    available = available_bytes()
    if needed > available:
        raise DataError(
            f"{what} need at least {write_bytes(needed)} of memory, {write_bytes(available)} are free",
            where=where,
            expected="a file that fits in memory, as these are read whole",
            mend="give fewer images, or the same ones as a folder of class folders, which is read from disk",
        )


def available_bytes() -> int:
    """Memory that this process can still take: of the machine, and of control groups that have limits."""
    return max(0, min([_of_machine(), *_of_groups(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))]))


def _of_machine() -> int:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:  # half of what there is, where the system does not say what is free
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return 4 * 2**30


def _of_groups(membership: Path, mounted: Path) -> list[int]:
    """What is left of the limits of this process's control groups, both versions, and of those above them."""
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    left = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers == "":
            root, most, used, unused = mounted, "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            root = mounted / "memory"
            most, used, unused = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
        else:
            continue
        folder = root / group.lstrip("/")
        for each in [folder, *folder.parents]:
            if (limit := _number(each / most)) is not None and (now := _number(each / used)) is not None:
                left.append(limit - now + _cached(each / "memory.stat", unused))
            if each == root:
                break
    return left


def _number(path: Path) -> int | None:
    """None where there is no such file, or no limit (`max`)."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _cached(path: Path, name: str) -> int:
    """Pages of files that the system gives up as soon as memory is asked for."""
    try:
        words = dict(line.split() for line in path.read_text(encoding="ascii").splitlines())
        return int(words.get(name, 0))
    except (OSError, ValueError):
        return 0

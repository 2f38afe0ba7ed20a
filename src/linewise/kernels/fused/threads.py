"""One program on several shares of the batch at once, on the threads that torch itself works with.

torch's OpenMP threads keep their core busy for milliseconds after their work, in case more follows; threads of our
own would have to fight them for it (on two cores: no gain at all, benchmarks/LOG.md). Where torch brings another
library, threads of our own it is.
"""

from __future__ import annotations

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch

from linewise.kernels.machine.compiled import Program, team_function


class Team(NamedTuple):
    """What of OpenMP's library is needed."""

    parallel: Any
    number: int
    size: int


@cache
def _team() -> Team | None:
    """torch's own copy of GNU OpenMP; a second copy in the process would have threads of its own."""
    home = Path(torch.__file__).parent
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
        paths = {Path(line.split(maxsplit=5)[5]) for line in maps if "libgomp" in line}
        (path,) = [p for p in paths if home in p.parents or home.with_name("torch.libs") in p.parents]
        library = ctypes.CDLL(str(path))
        address = lambda name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0  # noqa: E731
        parallel = library.GOMP_parallel
        parallel.argtypes = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint
        parallel.restype = None
        return Team(parallel, address("omp_get_thread_num"), address("omp_get_num_threads"))
    except (OSError, ValueError, AttributeError, IndexError):
        return None


_pool: ThreadPoolExecutor | None = None


def _forget() -> None:
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=_forget)


def together(program: Program, arguments: ctypes.Array[Any], shares: int) -> None:
    """Run a program on each share; Python's lock is free meanwhile.

    Args:
        arguments: those of all shares, one after another.
    """
    global _pool
    if shares == 1:
        program.run(arguments)
        return
    start, size = ctypes.addressof(arguments), ctypes.sizeof(arguments) // shares
    team = _team()
    if team is not None:
        job = (ctypes.c_int64 * 6)(program.address, shares, size, start, team.number, team.size)
        team.parallel(team_function().address, job, shares, 0)
        return
    if _pool is None:
        _pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="linewise-kernel")
    others = [_pool.submit(program.run, start + size * i) for i in range(1, shares)]
    program.run(start)
    for other in others:
        other.result()

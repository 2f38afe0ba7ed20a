"""What a run ran on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

from linewise.foundations.records import Environment
from linewise.foundations.version import version


def environment(
    threads: int, *, kernels: str, guarantee: str = "", device: str = "cpu", ranks: int = 1
) -> Environment:
    """This machine and the packages that matter.

    Args:
        kernels: how recurrent layers are computed, `linewise.kernels.described()`.
        device: where networks are computed, in words.
        ranks: processes that train one network together.
    """
    return Environment(
        linewise=version(),
        python=platform.python_version(),
        torch=_package("torch"),
        numpy=_package("numpy"),
        system=f"{platform.system()} {platform.machine()}",
        processor=processor(),
        cores=os.cpu_count() or 1,
        threads=threads,
        ranks=ranks,
        device=device,
        kernels=kernels,
        guarantee=guarantee,
    )


def processor() -> str:
    """The processor's name as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown"


def _package(name: str) -> str:
    try:
        return installed(name)
    except PackageNotFoundError:
        return ""

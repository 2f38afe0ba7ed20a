"""The most memory a process had: its own, not its parent's, which the system's usual figure begins with."""

from __future__ import annotations

import re
import resource
from contextlib import suppress
from pathlib import Path


def peak() -> int:
    """Bytes resident at most, since the process began or `forget_peak`."""
    try:
        with open("/proc/self/status", "rb") as file:
            found = re.search(rb"VmHWM:\s+(\d+)", file.read())
    except OSError:
        found = None
    if found:
        return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def forget_peak() -> None:
    """Begin again with what is resident now, where the system can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")

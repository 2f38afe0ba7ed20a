"""Processes that end with the one that began them, however that ended."""

from __future__ import annotations

import os
import signal
import threading
import time

EVERY_S = 0.5
"""How often a process looks whether its parent is there."""


def end_with(parent: int, patience_s: float = 0.0) -> None:
    """End this process when its parent is gone, whatever is being done or waited for.

    Args:
        parent: its process number.
        patience_s: seconds from a SIGTERM, for which a checkpoint may be left, to the end; 0: no signal.
    """
    threading.Thread(target=_watch, args=(parent, patience_s), name="parent", daemon=True).start()


def _watch(parent: int, patience_s: float) -> None:
    while os.getppid() == parent:
        time.sleep(EVERY_S)
    if patience_s:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(patience_s)
    os._exit(1)

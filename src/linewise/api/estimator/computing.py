"""Training and answering in someone else's process, which is left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def borrowed(threads: int) -> Iterator[None]:
    """Torch with so many threads and denormal numbers as zero; afterwards threads, random state and this are as
    they were before."""
    threads_before, flushing_before = torch.get_num_threads(), _flushing()
    with torch.random.fork_rng(devices=[]):
        try:
            torch.set_num_threads(threads)
            torch.set_flush_denormal(True)
            yield
        finally:
            torch.set_num_threads(threads_before)
            torch.set_flush_denormal(flushing_before)


def _flushing() -> bool:
    return (torch.tensor([1e-308], dtype=torch.float64) / 10).item() == 0

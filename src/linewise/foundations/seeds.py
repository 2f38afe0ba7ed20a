"""One seed per run, one independent stream per purpose."""

from __future__ import annotations

import hashlib


def stream(seed: int, purpose: str) -> int:
    """A seed for one purpose of a run, such as "weights", "order", "augment" or "dropout".

    Streams of one seed are independent of each other, so that turning on augmentation does not change the
    order of the images, nor the initial weights.

    Args:
        seed: the run's seed, any integer.
        purpose: the stream's name.

    Returns:
        An integer in [0, 2**63), the same on every machine and in every version.
    """
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1

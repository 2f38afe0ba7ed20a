"""Taking rights away for a while."""

from __future__ import annotations

import os

from rights import without_rights

seen: list[int] = []


class Ring:
    """Garbage that only the collector finds; it notes as whom."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        seen.append(os.geteuid())


def test_nothing_of_before_is_cleared_away_without_rights() -> None:
    seen.clear()
    Ring()
    with without_rights():
        kept = [[] for _ in range(100_000)]  # for which the collector would come by
    assert len(kept) == 100_000
    assert set(seen) <= {os.geteuid()}

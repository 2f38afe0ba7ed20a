"""Ranks meet in a store in which ranks that are gone have left what they wrote."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from torch.distributed import DistNetworkError, HashStore, Store

from linewise.training.meeting import meet

LONG = timedelta(seconds=60)


def all_meet(store: Store, world: int, mark: str) -> set[bytes]:
    """What each finds at a place where the first one wrote a mark."""

    def come(rank: int) -> bytes:
        place = meet(store, rank, world, LONG)
        assert not place.check(["mark"]) or place.get("mark").decode() == mark
        if rank == 0:
            place.set("mark", mark)
        return place.get("mark")

    with ThreadPoolExecutor(world) as ranks:
        return set(ranks.map(come, range(world)))


def test_each_attempt_has_a_place_of_its_own_also_with_fewer_or_more_ranks() -> None:
    store = HashStore()
    for attempt, world in enumerate((3, 3, 2, 4, 1)):
        assert all_meet(store, world, f"attempt {attempt}") == {f"attempt {attempt}".encode()}


def test_ranks_that_died_while_they_met_are_not_waited_for() -> None:
    """Two of three came, and were killed; the three that come then meet."""
    store = HashStore()
    with ThreadPoolExecutor(2) as ranks:
        gone = [ranks.submit(meet, store, rank, 3, timedelta(seconds=0.3)) for rank in (1, 2)]
        store.set("linewise/here/0", "of one that is gone")
        store.set("linewise/invited", '{"part": "old", "here": ["of one that is gone", "x", "y"]}')
        for rank in gone:
            with pytest.raises(DistNetworkError, match="not all of 3 ranks came"):
                rank.result()
    assert all_meet(store, 3, "again") == {b"again"}

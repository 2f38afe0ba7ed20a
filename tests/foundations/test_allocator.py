"""What a run made is gone when it has ended, and what was there before is not looked through."""

from __future__ import annotations

import gc
import weakref

import pytest

from linewise.foundations.allocator import leaving_nothing


class Circle:
    """Only the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


@leaving_nothing()
def made() -> weakref.ref[Circle]:
    return weakref.ref(Circle())


def test_what_was_made_within_is_freed_and_what_was_there_is_left_to_later() -> None:
    before = weakref.ref(Circle())
    assert made()() is None
    assert before() is not None
    assert not gc.get_freeze_count()
    gc.collect()
    assert before() is None


def test_an_error_comes_through_and_nothing_stays_frozen() -> None:
    with pytest.raises(ValueError, match="no"), leaving_nothing():
        raise ValueError("no")
    assert not gc.get_freeze_count()


def test_what_somebody_else_froze_stays_frozen() -> None:
    """Their number says nothing: frozen objects end with their last reference, too."""
    mine = Circle()
    gc.freeze()
    try:
        assert made()() is None
        assert not any(each is mine for each in gc.get_objects())
    finally:
        gc.unfreeze()
    assert any(each is mine for each in gc.get_objects())

"""Work on many items: in order, in parallel, and never far ahead of who takes the results."""

from __future__ import annotations

import pytest

from blockwork import fails, fails_at, squares
from linewise.images.files import parallel
from linewise.images.files.parallel import by_blocks, streamed


@pytest.mark.parametrize("count", [0, 1, 16, 17, 100, 1000])
@pytest.mark.parametrize("largest", [1, 7, 250])
def test_all_results_in_order(count: int, largest: int) -> None:
    assert list(streamed(squares, range(count), largest)) == [n * n for n in range(count)]


def test_many_are_worked_on_in_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "MANY", 300)
    assert list(streamed(squares, range(1200))) == [n * n for n in range(1200)]


def test_no_more_than_a_few_blocks_are_under_way() -> None:
    began: list[int] = []

    def work(block: list[int]) -> list[int]:
        began.extend(block)
        return block

    results = streamed(work, range(3000))
    for n in range(1000):
        assert next(results) == n
        assert len(began) <= n + 16 * (2 * parallel._cores() + 2)
    results.close()
    assert len(began) < 2000


@pytest.mark.parametrize("many", [10_000, 50])
def test_an_error_comes_out_of_threads_and_of_processes(monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    monkeypatch.setattr(parallel, "MANY", many)
    with pytest.raises(ZeroDivisionError):
        list(streamed(fails, range(100)))
    with pytest.raises(ZeroDivisionError):
        list(by_blocks(fails_at, range(100), "", progress=False))


@pytest.mark.parametrize("many", [10_000, 300])
def test_who_takes_a_few_gets_a_few(monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    monkeypatch.setattr(parallel, "MANY", many)
    results = streamed(squares, range(5000), 20)
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    results.close()

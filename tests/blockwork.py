"""Work for other processes, which find it by this module's name."""

from __future__ import annotations


def squares(block: list[int]) -> list[int]:
    return [n * n for n in block]


def fails(block: list[int]) -> list[int]:
    raise ZeroDivisionError(block[0])


def fails_at(start: int, block: list[int]) -> int:
    raise ZeroDivisionError(start)

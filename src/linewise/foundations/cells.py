"""Cells of tables for other programs."""

from __future__ import annotations

from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front.

    >>> safe_cell("=1+1"), safe_cell("cat"), safe_cell(-1)
    ("'=1+1", 'cat', -1)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value

"""Layer 7: what the records say. No torch here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linewise.analysis.summary import Summary, summarise

__all__ = ["Summary", "summarise"]


def __getattr__(name: str) -> Any:
    """The whole of it, SciPy's statistics too, is loaded by those who summarise; an interval needs a part."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from linewise.analysis import summary

    return getattr(summary, name)

"""Layer 7: what the records say. No torch here."""

from linewise.analysis.summary import Summary, summarise

__all__ = ["Summary", "summarise"]

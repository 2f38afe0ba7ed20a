"""Layer 8: what a person looks at. No torch here."""

from linewise.report.build import build

__all__ = ["build"]

"""Do they make different mistakes? Overlap of errors, what an ensemble gains, and pairs of classes."""

from linewise.analysis.overlap.verdict import Overlap, overlap

__all__ = ["Overlap", "overlap"]

"""Do they make different mistakes? Overlap of errors, what an ensemble gains, and pairs of classes."""

from linewise.analysis.overlap.class_pairs import ClassPairs, class_pairs
from linewise.analysis.overlap.ensembles import Ensembles, ensembles
from linewise.analysis.overlap.verdict import Overlap, overlap

__all__ = ["ClassPairs", "Ensembles", "Overlap", "class_pairs", "ensembles", "overlap"]

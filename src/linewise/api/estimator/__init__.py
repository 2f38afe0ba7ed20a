"""Linewise as a scikit-learn estimator."""

from linewise.api.estimator.classifier import ReaderClassifier
from linewise.api.estimator.pixels import InputError

__all__ = ["InputError", "ReaderClassifier"]

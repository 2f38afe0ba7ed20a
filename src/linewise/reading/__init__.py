"""Layer 2: how an image becomes a sequence."""

from linewise.reading import columns as columns
from linewise.reading import rows as rows
from linewise.reading.base import READINGS, Reading, parse

__all__ = ["READINGS", "Reading", "parse"]

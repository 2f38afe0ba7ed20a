"""Layer 2: how an image becomes a sequence."""

from linewise.reading.base import Reading
from linewise.reading.naming import EXAMPLES, parse
from linewise.reading.orders import ORDERS

__all__ = ["EXAMPLES", "ORDERS", "Reading", "parse"]

"""Layer 3: recurrences computed."""

from linewise.kernels.layers import GATES, recurrent_layer

__all__ = ["GATES", "recurrent_layer"]

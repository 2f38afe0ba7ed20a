"""Layer 3: recurrences, and large products, computed."""

from linewise.kernels.cell import Beside, Cell, State
from linewise.kernels.fused import cells_of, described, prepare, prepared, until
from linewise.kernels.layers import CELLS, GATES, LAYERS, recurrent_layer
from linewise.kernels.linear import Linear

__all__ = [
    "CELLS",
    "GATES",
    "LAYERS",
    "Beside",
    "Cell",
    "Linear",
    "State",
    "cells_of",
    "described",
    "prepare",
    "prepared",
    "recurrent_layer",
    "until",
]

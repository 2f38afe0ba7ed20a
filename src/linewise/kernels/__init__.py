"""Layer 3: recurrences computed."""

from linewise.kernels.cell import Beside, Cell
from linewise.kernels.layers import CELLS, GATES, LAYERS, recurrent_layer

__all__ = ["CELLS", "GATES", "LAYERS", "Beside", "Cell", "recurrent_layer"]

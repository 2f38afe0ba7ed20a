"""Layer 3: recurrences computed."""

from linewise.kernels.cell import Beside, Cell, State
from linewise.kernels.layers import CELLS, GATES, LAYERS, recurrent_layer

__all__ = ["CELLS", "GATES", "LAYERS", "Beside", "Cell", "State", "recurrent_layer"]

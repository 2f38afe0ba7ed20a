"""torch's recurrent layers with the loop over time as machine code."""

from linewise.kernels.fused.layers import FusedGRU, FusedLSTM, FusedRNN, swept
from linewise.kernels.machine.compiled import available, described

__all__ = ["FusedGRU", "FusedLSTM", "FusedRNN", "available", "described", "swept"]

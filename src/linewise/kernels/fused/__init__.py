"""torch's recurrent layers with the loop over time as machine code."""

from linewise.kernels.fused.layers import FusedGRU, FusedLSTM, FusedRNN, cells_of, swept
from linewise.kernels.machine.compiled import available, described, prepare

__all__ = ["FusedGRU", "FusedLSTM", "FusedRNN", "available", "cells_of", "described", "prepare", "swept"]

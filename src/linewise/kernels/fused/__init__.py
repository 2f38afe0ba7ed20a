"""torch's recurrent layers with the loop over time as machine code."""

from linewise.kernels.fused.early import until
from linewise.kernels.fused.grid import swept
from linewise.kernels.fused.layers import FusedGRU, FusedLSTM, FusedRNN, cells_of, read_on, reads_on
from linewise.kernels.fused.promise import prepared
from linewise.kernels.machine.compiled import available, described, prepare

__all__ = [
    "FusedGRU",
    "FusedLSTM",
    "FusedRNN",
    "available",
    "cells_of",
    "described",
    "prepare",
    "prepared",
    "read_on",
    "reads_on",
    "swept",
    "until",
]

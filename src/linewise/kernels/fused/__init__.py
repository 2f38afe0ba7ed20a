"""torch's recurrent layers with the loop over time as machine code."""

from linewise.kernels.fused.early import until
from linewise.kernels.fused.layers import FusedGRU, FusedLSTM, FusedRNN, read_on, reads_on
from linewise.kernels.fused.promise import prepared
from linewise.kernels.machine.compiled import available, described

__all__ = [
    "FusedGRU",
    "FusedLSTM",
    "FusedRNN",
    "available",
    "described",
    "prepared",
    "read_on",
    "reads_on",
    "until",
]

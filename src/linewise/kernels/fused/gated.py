"""minGRU and minLSTM by the fused kernels."""

from __future__ import annotations

from torch import Tensor

from linewise.kernels.fused.gradients import fused_cells
from linewise.kernels.machine.compiled import available
from linewise.kernels.plain import is_plain


def read(name: str, weights: list[Tensor], x_TBD: Tensor, units: int) -> Tensor | None:
    """Hidden states `h_TBU` of one or two directions side by side; None where the kernels cannot compute this.

    Args:
        name: `mingru` or `minlstm`.
        weights: weight and bias of each direction.
    """
    fits = (
        x_TBD.ndim == 3
        and x_TBD.numel() > 0
        and is_plain(x_TBD)
        and all(w.dtype == x_TBD.dtype and w.device == x_TBD.device for w in weights)
        and x_TBD.shape[2] == weights[0].shape[1]
        and available()
    )
    return fused_cells(name, weights, x_TBD, units) if fits else None

"""What our own computations ask of a tensor before they touch its memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def is_plain(x: Tensor) -> bool:
    """Whether these are float32 in this machine's memory, seen by nobody else.

    Subclasses of tensors, torch's tracers, transforms and casts see through torch's own operations only.
    """
    return (
        type(x) in (Tensor, nn.Parameter)
        and x.dtype == torch.float32
        and x.device.type == "cpu"
        and x.layout == torch.strided
        and not torch.is_autocast_enabled("cpu")
        and not torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
    )

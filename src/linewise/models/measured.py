"""What torch itself says of one forward pass on the meta device: floating point operations and saved bytes.

Stepping torch's recurrent layers through 784 steps on the meta device takes many seconds. Their work and memory
are linear in the number of steps, so a long layer is measured at two short lengths and the rest follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

SHORT = 3
LONG = 16
"""Sequences up to this are stepped through."""


@final
class Measured:
    """Counts while `watch` is open.

    Attributes:
        saved_bytes: bytes of the distinct storages, those of weights and buffers left out, that autograd keeps for
            the backward pass.
    """

    def __init__(self, network: nn.Module) -> None:
        self.counter = FlopCounterMode(display=False)
        self.extra_flops = 0
        self.saved_bytes = 0
        self.seen = {t.untyped_storage()._cdata: t.untyped_storage() for t in network.state_dict().values()}

    @property
    def flops(self) -> int:
        """Floating point operations, 2 per multiply-accumulate."""
        return self.counter.get_total_flops() + self.extra_flops

    @contextmanager
    def watch(self, network: nn.Module) -> Iterator[None]:
        """Count what `network` does; its long recurrent layers are measured short."""
        layers = [layer for layer in network.modules() if isinstance(layer, nn.RNNBase) and not layer.batch_first]
        for layer in layers:
            layer.forward = self._shortened(layer)
        try:
            with self.counter, torch.autograd.graph.saved_tensors_hooks(self._keep, lambda tensor: tensor):
                yield
        finally:
            for layer in layers:
                del layer.forward

    def _keep(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self.seen:
            self.seen[storage._cdata] = storage  # kept alive, so that no address is used twice
            self.saved_bytes += storage.nbytes()
        return tensor.detach()  # an output that is kept as it is keeps its graph, which keeps it, for ever

    def _shortened(self, layer: nn.RNNBase) -> Callable[[Tensor], tuple[Tensor, Any]]:
        whole: Callable[[Tensor], tuple[Tensor, Any]] = layer.forward

        def forward(x_TBD: Tensor) -> tuple[Tensor, Any]:
            steps = len(x_TBD)
            if steps <= LONG:
                return whole(x_TBD)
            flops, kept = zip(*(self._measure(whole, x_TBD, short) for short in (SHORT, SHORT + 1)), strict=True)
            more = steps - SHORT - 1
            self.extra_flops += flops[1] + more * (flops[1] - flops[0])
            self.saved_bytes += kept[1] + more * (kept[1] - kept[0])
            storage = x_TBD.untyped_storage()
            if storage._cdata in self.seen:  # the input was kept already by what came before
                self.saved_bytes -= x_TBD.numel() * x_TBD.element_size()
            self.seen[storage._cdata] = storage  # counted with the layer
            directions = 2 if layer.bidirectional else 1
            y_TBF = x_TBD.new_empty(*x_TBD.shape[:2], directions * layer.hidden_size, requires_grad=True)
            return y_TBF, None

        return forward

    def _measure(self, whole: Callable[[Tensor], Any], x_TBD: Tensor, steps: int) -> tuple[int, int]:
        """Operations and saved bytes of a shorter sequence; the counts are as before afterwards."""
        flops, kept = self.flops, self.saved_bytes
        whole(torch.empty(steps, *x_TBD.shape[1:], device=x_TBD.device, requires_grad=x_TBD.requires_grad))
        found = self.flops - flops, self.saved_bytes - kept
        self.extra_flops -= found[0]
        self.saved_bytes = kept
        return found

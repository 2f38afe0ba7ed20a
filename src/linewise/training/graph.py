"""A step that is recorded once and replayed: a CUDA graph saves the launch of some hundred small kernels.

The bookkeeping (buffers that stay in place, steps before the recording, batches of another size) is the same
without a device: `Again` calls the work anew where a graph would be replayed.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

WARM_UP = 3
"""Steps taken before the recording: libraries choose their ways, the optimiser makes its moments."""
Work = Callable[..., tuple[Tensor, ...]]
Bound = Callable[[], tuple[Tensor, ...]]


class Recorder(ABC):
    """Records work once, replays it often."""

    @abstractmethod
    def warm(self, work: Bound) -> tuple[Tensor, ...]:
        """Do the work, not yet recorded."""

    @abstractmethod
    def record(self, work: Bound) -> None:
        """Record the work without doing it.

        Raises:
            RuntimeError: something in it cannot be recorded.
        """

    @abstractmethod
    def replay(self) -> tuple[Tensor, ...]:
        """Do what was recorded; the results lie in the same tensors each time."""


@final
class CudaRecorder(Recorder):
    """A CUDA graph, warmed up on a stream of its own as torch's manual asks."""

    def __init__(self, device: torch.device) -> None:
        self.stream, self.graph = torch.cuda.Stream(device), torch.cuda.CUDAGraph()
        self.found: tuple[Tensor, ...] = ()

    def warm(self, work: Bound) -> tuple[Tensor, ...]:
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            found = work()
        torch.cuda.current_stream().wait_stream(self.stream)
        return found

    def record(self, work: Bound) -> None:
        torch.cuda.synchronize()
        with torch.cuda.graph(self.graph):
            self.found = work()

    def replay(self) -> tuple[Tensor, ...]:
        self.graph.replay()
        return self.found


@final
class Again(Recorder):
    """Calls the work again; keeps what a replay promises, results in the same tensors."""

    def __init__(self) -> None:
        self.work: Bound | None = None
        self.found: tuple[Tensor, ...] | None = None

    def warm(self, work: Bound) -> tuple[Tensor, ...]:
        return work()

    def record(self, work: Bound) -> None:
        self.work = work

    def replay(self) -> tuple[Tensor, ...]:
        assert self.work is not None, "nothing was recorded"
        found = self.work()
        if self.found is None:
            self.found = found
        else:
            for kept, new in zip(self.found, found, strict=True):
                kept.copy_(new)
        return self.found


def recorder_for(device: torch.device) -> Recorder:
    """A CUDA graph on a CUDA device, else none."""
    return CudaRecorder(device) if device.type == "cuda" else Again()


@final
class Graph:
    """Work on tensors of one shape, recorded after `WARM_UP` calls; each call does the work exactly once.

    Calls with other shapes, such as a last smaller batch, are computed as they are. Where the recording fails, all
    are, and one warning says why. What a call gives is overwritten by the next.

    Args:
        work: changes its own state in place only, and never asks a tensor for its value.
    """

    def __init__(self, work: Work, recorder: Recorder) -> None:
        self.work, self.recorder = work, recorder
        self.buffers: list[Tensor] = []
        self.calls, self.recorded, self.failed = 0, False, False

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if not self.calls:
            self.buffers = [torch.empty_like(x) for x in inputs]
        self.calls += 1
        if self.failed or _shapes(self.buffers) != _shapes(inputs):
            return self.work(*inputs)
        for buffer, x in zip(self.buffers, inputs, strict=True):
            buffer.copy_(x)
        if not self.recorded and self.calls > WARM_UP:
            self._record()
        if self.failed:
            return self._bound()
        return self.recorder.replay() if self.recorded else self.recorder.warm(self._bound)

    def _bound(self) -> tuple[Tensor, ...]:
        return self.work(*self.buffers)

    def _record(self) -> None:
        try:
            self.recorder.record(self._bound)
        except RuntimeError as error:
            self.failed = True
            why = str(error).strip().partition("\n")[0]
            warnings.warn(f"the training step is not recorded as a CUDA graph, and slower: {why}", stacklevel=4)
        else:
            self.recorded = True


def _shapes(tensors: tuple[Tensor, ...] | list[Tensor]) -> list[tuple[torch.Size, torch.dtype]]:
    return [(x.shape, x.dtype) for x in tensors]

"""Packed weights that outlive a call: checked number by number, or held by promise.

Weights that anyone may change are compared with what they were when they were packed; that costs as much as a
twentieth of the answer to one image. Who promises to leave them alone for a while saves it: `prepared`.
"""

from __future__ import annotations

from threading import RLock
from typing import Self, final
from weakref import WeakKeyDictionary, finalize

import torch
from torch import Tensor, nn

from linewise.kernels.fused.ready import Few, One, Ready
from linewise.kernels.fused.same import same


@final
class _Forms:
    """The weights of one layer in the forms asked for so far; a copy of them as they were."""

    def __init__(self, name: str, weights: list[Tensor]) -> None:
        self._name, self._made = name, dict[type[Ready], Ready]()
        self._weights = [w.detach().clone(memory_format=torch.contiguous_format) for w in weights]

    def same(self, weights: list[Tensor]) -> bool:
        """Whether they are the same still, number by number."""
        return all(map(same, weights, self._weights))

    def form(self, batch: int) -> Ready:
        kind = One if batch == 1 else Few
        if kind not in self._made:
            self._made[kind] = kind(self._name, self._weights)
        return self._made[kind]


_remembered: WeakKeyDictionary[nn.Module, _Forms] = WeakKeyDictionary()
_lock = RLock()  # an object's end may come in the midst of this
_promised: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()
"""How many promises there are for a layer."""
_held: WeakKeyDictionary[nn.Module, tuple[_Forms, list[int]]] = WeakKeyDictionary()


def ready(name: str, layer: nn.Module, weights: list[Tensor], batch: int) -> Ready:
    """The weights of a layer as they are now, packed for so many sequences.

    Args:
        name: `rnn`, `gru` or `lstm`.
        weights: four per direction, in torch's order.
    """
    if layer in _promised:
        return _held_form(name, layer, weights).form(batch)
    before = _remembered.get(layer)
    if before is None or not before.same(weights):
        before = _remembered[layer] = _Forms(name, weights)
    return before.form(batch)


def _held_form(name: str, layer: nn.Module, weights: list[Tensor]) -> _Forms:
    """What was packed before, unless the weights have other places or versions."""
    marks = [mark for w in weights for mark in (w.data_ptr(), _version(w))]
    held = _held.get(layer)
    if held is None or held[1] != marks:
        held = _held[layer] = _Forms(name, weights), marks
    return held[0]


def _version(weight: Tensor) -> int:
    return 0 if weight.is_inference() else weight._version


@final
class Promise:
    """That weights stay as they are. It ends with its block, with `close`, or with this object."""

    def __init__(self, layers: list[nn.Module]) -> None:
        with _lock:
            for layer in layers:
                _promised[layer] = _promised.get(layer, 0) + 1
        self.close = finalize(self, _release, layers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *of_error: object) -> None:
        self.close()


def _release(layers: list[nn.Module]) -> None:
    with _lock:
        for layer in layers:
            _promised[layer] -= 1
            if not _promised[layer]:
                del _promised[layer]
                _held.pop(layer, None)


def prepared(network: nn.Module) -> Promise:
    """Promise that a network's weights stay as they are, for a block or for as long as what is returned lives.

    Its recurrent layers then pack their weights once and do not compare them, number by number, at every answer to
    a few images. A change is still seen where torch counts it: an optimiser's step, `load_state_dict`, anything
    written to a parameter in place, another tensor in its stead. What goes past torch's count, numbers written
    through `parameter.data` or `parameter.numpy()`, is not seen before the promise ends. Without `prepared` every
    change is seen. Promises may lie in one another, and in several threads.

    >>> with prepared(network), torch.inference_mode():      # doctest: +SKIP
    ...     logits_BK = network(x_BCHW)
    """
    return Promise([layer for layer in network.modules() if isinstance(layer, nn.RNNBase)])

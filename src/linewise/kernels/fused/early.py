"""One sequence read until the answer is sure enough, all in one call: layer, classifier and rule."""

from __future__ import annotations

import ctypes
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linewise.kernels.fused.layers import NAMES, reads_on
from linewise.kernels.fused.packing import by_unit, padded, panels
from linewise.kernels.fused.plan import FLOAT, PLACES
from linewise.kernels.fused.ready import One
from linewise.kernels.machine.compiled import available, function

_AT = PLACES["until"]


def until(layer: nn.Module, head: nn.Module) -> Until | None:
    """A layer and the classifier of its hidden state as one; None where the kernels cannot compute them.

    Their weights must stay as they are for as long as it is used.
    """
    if not isinstance(layer, nn.RNNBase) or not reads_on(layer) or type(head) is not nn.Linear:
        return None
    parameters = [*layer.parameters(), *head.parameters()]
    if any(p.dtype != torch.float32 or p.device.type != "cpu" for p in parameters):
        return None
    if layer.num_layers != 1 or not layer.bias or layer.batch_first or layer.proj_size or not available():
        return None
    return Until(NAMES[layer.mode], [p for p in layer._flat_weights if p is not None], head)


@final
class Until:
    """A layer of one direction and a classifier of its hidden state, packed; their weights stay as they are.

    Args:
        name: `rnn`, `gru` or `lstm`.
        weights: of the layer, in torch's order.
        head: the classifier.
    """

    def __init__(self, name: str, weights: list[Tensor], head: nn.Linear) -> None:
        self._one, self._code, self._classes = One(name, weights), function(name, "until"), head.out_features
        missing = padded(self._classes) - self._classes
        bias_K = head.bias if head.bias is not None else torch.zeros(self._classes)
        self._head = by_unit(head.weight.detach(), 1)
        self._bias = F.pad(bias_K.detach(), (0, missing))

    def __call__(self, x_TBD: Tensor, state: tuple[Tensor, ...], doubt: float | None) -> tuple[int, Tensor]:
        """Steps read, from 1, and the logits `BK` after them.

        Args:
            x_TBD: one sequence, float32, on the processor.
            state: hidden state and, of the LSTM, memory, `BU`.
            doubt: at most so much probability for all other classes together; None reads all.
        """
        one, steps = self._one, len(x_TBD)
        x_TBD, state = x_TBD.contiguous(), tuple(s.contiguous() for s in state)
        room = padded(self._classes)
        h_TU, answer = torch.empty(steps + 1, one.units), torch.empty(2, room)
        limit = ctypes.c_float(-1.0 if doubt is None else doubt / (1 - doubt) if doubt < 1 else torch.inf)
        found = (ctypes.c_int64 * 2)()
        desk = one.take()
        many: Any = (ctypes.c_int64 * len(_AT))(*desk.arguments[0])
        answer_at, memory = answer.data_ptr(), h_TU.data_ptr() + FLOAT * steps * one.units
        values = {
            "steps": steps, "x": x_TBD.data_ptr(), "x_step": one.inputs, "before": state[0].data_ptr(),
            "is_fresh": 0, "h": h_TU.data_ptr(), "h_step": one.units, "memory_before": state[-1].data_ptr(),
            "memory": memory, "head": self._head.data_ptr(), "head_bias": self._bias.data_ptr(),
            "class_panels": panels(self._classes), "classes": self._classes, "logits": answer_at,
            "weights": answer_at + FLOAT * room, "limit": ctypes.addressof(limit),
            "read": ctypes.addressof(found), "is_sure": ctypes.addressof(found) + 8,
        }  # fmt: skip
        for name, value in values.items():
            many[_AT[name]] = value
        self._code.run(many)
        one.give_back(desk)
        return found[0] or steps, answer[:1, : self._classes]

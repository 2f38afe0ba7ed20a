"""How a trained network reads one image: its answers, memory and gates step by step.

`Trace` needs no torch; `trace`, which makes one from a saved network, is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linewise.tracing.outside import look
    from linewise.tracing.record import Trace
    from linewise.tracing.tracer import trace

_WHERE = {"Trace": "record", "look": "outside", "trace": "tracer"}

__all__ = ["Trace", "look", "trace"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _WHERE:
        return getattr(import_module(f"linewise.tracing.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'linewise.tracing' has no attribute {name!r}")

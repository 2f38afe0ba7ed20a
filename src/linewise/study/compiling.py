"""Kernels are compiled here, once, before worker processes would each do so at the same time."""

from __future__ import annotations

from collections.abc import Iterable

from linewise.foundations.records import DataRecord, ModelSpec
from linewise.kernels import cells_of, prepare
from linewise.study.along import ghost
from linewise.study.events import Events


def compile_kernels(models: Iterable[ModelSpec], data: DataRecord, events: Events) -> None:
    """Have the kernels of some networks in the cache; a person is told where that takes time."""
    cells = {cell for model in models for cell in cells_of(ghost(model, data))}
    prepare(sorted(cells), events.compiling)

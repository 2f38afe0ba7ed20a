"""Machine code for this processor, made by LLVM in memory when a kernel is first used."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, NamedTuple

from linewise.kernels.fused import products, programs
from linewise.kernels.fused.cells import CELL_CODES, CellCode

PROGRAMS: dict[str, Callable[[CellCode, str, int, int], str]] = {
    "ahead": programs.ahead,
    "back": programs.back,
    "of_weights": products.of_weights,
    "of_inputs": products.of_inputs,
}


class Width(NamedTuple):
    """What the processor's vectors hold.

    Attributes:
        lanes: float32 in a vector.
        registers: vectors to sum in; the rest is for weights and one input.
    """

    lanes: int
    registers: int


def available() -> bool:
    """Whether llvmlite is installed."""
    try:
        import llvmlite.binding  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        return False
    return True


@cache
def width() -> Width:
    """Of this processor."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return Width(16, 24)
    if features.get("avx2") and features.get("fma"):
        return Width(8, 12)
    return Width(4, 24) if "neon" in features else Width(4, 8)


@lru_cache
def function(cell: str, program: str) -> Callable[[Any], None]:
    """A program as a function of an array of 64-bit arguments; Python's lock is free while it runs.

    Args:
        cell: `rnn`, `lstm` or `gru`.
        program: `ahead`, `back`, `of_weights` (the same for every cell) or `of_inputs`.
    """
    engine = _compile(PROGRAMS[program](CELL_CODES[cell], "kernel", *width()))
    found = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(engine.get_function_address("kernel"))
    found.engine = engine  # type: ignore[attr-defined]  # lives as long as the function
    return found


def _machine() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True)


def optimised(text: str) -> Any:
    """The module after LLVM's passes."""
    import llvmlite.binding as llvm

    machine = _machine()
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module


def _compile(text: str) -> Any:
    import llvmlite.binding as llvm

    engine = llvm.create_mcjit_compiler(optimised(text), _machine())
    engine.finalize_object()
    return engine

"""Machine code for this processor, made by LLVM when a kernel is first used and kept in the user's cache.

llvmlite is LLVM as a Python package; nobody needs a compiler. Where it is missing, torch's own layers compute.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import time
from collections.abc import Callable, Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from linewise.foundations.atomic import replace_file
from linewise.foundations.paths import cache_dir
from linewise.kernels.machine import one, products, programs
from linewise.kernels.machine.cells import CELL_CODES, CellCode
from linewise.kernels.machine.team import LIST, TEAM

PROGRAMS: dict[str, Callable[[CellCode, str, int, int], str]] = {
    "ahead": programs.ahead,
    "one": one.one,
    "until": one.until,
    "back": programs.back,
    "of_weights": products.of_weights,
    "of_inputs": products.of_inputs,
}
NAME = "kernel"


class Width(NamedTuple):
    """What the processor's vectors hold.

    Attributes:
        lanes: float32 in a vector.
        registers: vectors to sum in; the rest is for weights and one input.
    """

    lanes: int
    registers: int


@cache
def available() -> bool:
    """Whether llvmlite is installed, and can make code for this processor."""
    if find_spec("llvmlite") is None:
        return False
    try:
        function("rnn", "ahead")
    except Exception as error:  # of LLVM's many kinds; torch's own layers do the same, slower
        logging.getLogger("linewise").warning("no fused kernels here: %s: %s", type(error).__name__, error)
        return False
    return True


def prepare(cells: Iterable[str], on_compile: Callable[[], None] = lambda: None) -> None:
    """Have all programs of some cells in the cache, so that other processes find them there.

    Where code cannot be made, nothing is said here: `available` says why when a layer is used.

    Args:
        cells: `rnn`, `lstm`, `gru`, `mingru`, `minlstm`.
        on_compile: called once, before the first program is compiled; not at all where none is missing.
    """
    wanted = [(_title(cell, program), _text(cell, program)) for cell in cells for program in _programs(cell)]
    if not wanted or find_spec("llvmlite") is None:
        return
    try:
        machine = _machine()
        wanted += [
            ("rnn-ahead", _text("rnn", "ahead")),
            ("team", TEAM.format(name=NAME)),
            ("list", LIST.format(name=NAME)),
        ]  # by which `available` tries
        missing = [(title, text) for title, text in dict(wanted).items() if _kept(_place(title, text)) is None]
        if missing:
            on_compile()
        for title, text in missing:
            _object(title, text, machine)
    except Exception as error:
        logging.getLogger("linewise").info("kernels not compiled: %s: %s", type(error).__name__, error)


def described() -> str:
    """How recurrent layers are computed here, in words for a record."""
    if not available():
        return "torch's own layers; for the fused ones: pip install 'linewise[fast]'"
    import llvmlite

    return f"fused kernels, {width().lanes} lanes, llvmlite {llvmlite.__version__}"


@cache
def width() -> Width:
    """Of this processor."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return Width(16, 24)
    if features.get("avx2") and features.get("fma"):
        return Width(8, 12)
    return Width(4, 24 if features.get("neon") else 8)


class Program(NamedTuple):
    """Machine code in memory.

    Attributes:
        run: calls it with an array of 64-bit arguments; Python's lock is free while it runs.
        address: where it is.
        engine: what keeps it there.
    """

    run: Callable[[Any], None]
    address: int
    engine: Any


@cache
def function(cell: str, program: str) -> Program:
    """A program of a cell.

    Args:
        cell: `rnn`, `lstm` or `gru`.
        program: `ahead`, `one`, `until`, `back`, `of_weights` (the same for every cell) or `of_inputs`.
    """
    return _program(_title(cell, program), _text(cell, program))


def _programs(cell: str) -> list[str]:
    """Those that a study uses."""
    alone = ("one", "until") if not CELL_CODES[cell].from_state else ("until",)
    return [program for program in PROGRAMS if program not in alone]


def _title(cell: str, program: str) -> str:
    return f"rnn-{program}" if program == "of_weights" else f"{cell}-{program}"


def _text(cell: str, program: str) -> str:
    return PROGRAMS[program](CELL_CODES[cell], NAME, *width())


@cache
def team_function() -> Program:
    """Given to each thread of a team: calls a program with its share of the arguments."""
    return _program("team", TEAM.format(name=NAME))


@cache
def list_function() -> Program:
    """Calls a list of programs one after another."""
    return _program("list", LIST.format(name=NAME))


def _program(title: str, text: str) -> Program:
    import llvmlite.binding as llvm

    machine = _machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(_object(title, text, machine)))
    engine.finalize_object()
    address = engine.get_function_address(NAME)
    return Program(ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address), address, engine)


def _machine() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True)


def optimised(text: str, machine: Any) -> Any:
    """The module after LLVM's passes."""
    import llvmlite.binding as llvm

    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module


def _object(title: str, text: str, machine: Any) -> bytes:
    """Machine code of a program, from the cache where it is there and whole."""
    path = _place(title, text)
    if (kept := _kept(path)) is not None:
        return kept
    started = time.perf_counter()
    code: bytes = machine.emit_object(optimised(text, machine))
    took_s = time.perf_counter() - started
    logging.getLogger("linewise").info("kernel %s compiled in %.1f s, kept in %s", title, took_s, path)
    try:
        with replace_file(path) as file:
            file.write(hashlib.sha256(code).digest() + code)
    except OSError:  # a read-only or full disk: compiled again next time
        pass
    return code


def _place(title: str, text: str) -> Path:
    """Where a program for this processor is kept."""
    import llvmlite
    import llvmlite.binding as llvm

    made_for = (llvmlite.__version__, llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten(), text)
    key = hashlib.sha256("\n".join(made_for).encode()).hexdigest()
    return cache_dir() / "kernels" / f"{title}-{key[:32]}.o"


def _kept(path: Path) -> bytes | None:
    """What the cache holds there, if it is whole."""
    try:
        kept = path.read_bytes()
    except OSError:
        return None
    return kept[32:] if hashlib.sha256(kept[32:]).digest() == kept[:32] else None

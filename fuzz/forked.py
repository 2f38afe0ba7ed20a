"""A pytest plugin for `mutation.py`: the tests are collected once, and each mutant is a fork of this very process.

mutmut starts pytest anew for each mutant, which takes a second of the processor and more; most mutants fall to a
test of milliseconds. Here a fork runs the tests that reach the mutated function, quick ones first, and ends at
the first failure.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.utils.format_utils import mangled_name_from_mutant_name

KILLED, SURVIVED, TIMED_OUT, NO_TEST = 1, 0, 36, 33
"""As mutmut notes them."""
LIMIT_S, TIMES = 30.0, 10
"""A mutant may take as many seconds by the clock, and as many times what its tests took; a busy machine is no
reason to call it stuck."""


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Instead of the tests: the mutants that `LINEWISE_MUTANTS` names, a line each `META NAME`."""
    stats = json.loads(Path("mutmut-stats.json").read_text())
    scratch = Path(os.environ["LINEWISE_SCRATCH"])
    seconds, items = stats["duration_by_test"], {item.nodeid: item for item in session.items}
    wanted = [line.split(" ", 1) for line in Path(os.environ["LINEWISE_MUTANTS"]).read_text().splitlines()]
    running: dict[int, tuple[Path, str, float]] = {}

    def tests_of(name: str) -> list[str]:
        reached = stats["tests_by_mangled_function_name"].get(mangled_name_from_mutant_name(name), [])
        return sorted((t for t in reached if t in items), key=lambda t: seconds.get(t, 0.0))

    def length(name: str) -> float:
        return sum(seconds.get(t, 0.0) for t in tests_of(name))

    all_tests = {t for _, name in wanted for t in tests_of(name)}
    sys.stderr.write(f"{len(all_tests):,} tests without a mutant …\n")
    control = begin(session, [items[t] for t in sorted(all_tests)], "", scratch)
    if os.waitpid(control, 0)[1]:
        raise pytest.UsageError("a test fails without any mutant: no mutant would be killed by what it changes")
    for done, (meta, name) in enumerate(sorted(wanted, key=lambda asked: length(asked[1]))):
        tests = tests_of(name)
        if not tests:
            note(Path(meta), name, NO_TEST)
            continue
        while len(running) >= int(os.environ["LINEWISE_PROCESSES"]):
            gather(running, scratch)
        child = begin(session, [items[t] for t in tests], name, scratch)
        running[child] = Path(meta), name, time.monotonic() + LIMIT_S + TIMES * length(name)
        sys.stderr.write(f"\r{done + 1:,} of {len(wanted):,}")
    while running:
        gather(running, scratch)
    sys.stderr.write("\n")
    return True


def begin(session: pytest.Session, tests: list[pytest.Item], name: str, scratch: Path) -> int:
    child = os.fork()
    if child:
        return child
    code = KILLED  # by whatever is raised below, too
    try:
        os.setsid()
        quiet = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(quiet, number)
        session.config._tmp_path_factory._given_basetemp = scratch / str(os.getpid())  # type: ignore[attr-defined]
        set_mutant_under_test(name)
        for test, after in zip(tests, [*tests[1:], None], strict=True):
            session.config.hook.pytest_runtest_protocol(item=test, nextitem=after)
            if session.testsfailed:
                break
        else:
            code = SURVIVED
    finally:
        os._exit(code)


def gather(running: dict[int, tuple[Path, str, float]], scratch: Path) -> None:
    """Note the mutants that have ended, or have had their time; wait for a moment where there are none."""
    child, status = os.waitpid(-1, os.WNOHANG)
    if child in running:
        meta, name, _ = running.pop(child)
        note(meta, name, SURVIVED if status == 0 else KILLED)
    elif late := next((pid for pid, (*_, until) in running.items() if time.monotonic() > until), None):
        meta, name, _ = running.pop(late)
        os.killpg(late, signal.SIGKILL)
        os.waitpid(late, 0)
        note(meta, name, TIMED_OUT)
        child = late
    else:
        time.sleep(0.02)
        return
    shutil.rmtree(scratch / str(child), ignore_errors=True)


def note(meta: Path, name: str, code: int) -> None:
    """Where mutmut keeps it."""
    told = json.loads(meta.read_text())
    told["exit_code_by_key"][name] = code
    partial = meta.with_suffix(".partial")
    partial.write_text(json.dumps(told, indent=4))
    os.replace(partial, meta)

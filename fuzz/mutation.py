"""Mutation testing by mutmut: `make mutation`, or `python fuzz/mutation.py --groups statistics --sample 200`.

mutmut changes one thing in one function, such as `<` to `<=`, and runs the tests that reach the function; a
change that no test notices has *survived*. Modules and tests are chosen in `pyproject.toml` ([tool.mutmut]). What
each change came to is kept in `mutants/`, so that the same command goes on where it was stopped. At the end a
table and the survivors are printed, as Markdown. Runs at the lowest priority.
"""

from __future__ import annotations

import argparse
import ast
import fnmatch
import json
import os
import random
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import mangled_name_from_mutant_name, orig_function_and_class_names_from_key

ROOT = Path(__file__).resolve().parent.parent
GROUPS = {
    "statistics": ("analysis.*",),
    "readings": ("reading.*",),
    "parsers": ("images.*", "foundations.npz.*", "models.saved.*"),
    "storage": ("foundations.[!n]*", "study.*", "training.*"),
}
SURVIVED, NOT_RUN = ("survived", "no tests"), ("not checked", "check was interrupted by user")
COLUMNS = ("mutants", "run", "killed", "survived", "no tests", "timeout", "segfault", "suspicious")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", default=",".join(GROUPS), help="some of them, with commas")
    parser.add_argument("--sample", type=int, help="mutants of each module at most, drawn at random")
    parser.add_argument("--seed", type=int, default=7, help="of the sample")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="only print what is known so far")
    parser.add_argument("--again", action="store_true", help="run those that survived once more, after new tests")
    asked = parser.parse_args()
    os.chdir(ROOT)
    os.nice(19)
    if not asked.table:
        refresh()
        wanted = NOT_RUN + (SURVIVED if asked.again else ())
        run(
            [
                (path, name)
                for group in asked.groups.split(",")
                for path, states in results().items()
                for name in sampled(list(states), asked.sample, asked.seed)
                if belongs(name, group) and states[name] in wanted
            ],
            asked.processes,
        )
    tell()


def refresh() -> None:
    """Let mutmut write the mutants, of what has changed anew, and find which tests reach which function, which it
    does before it runs a mutant: one is enough."""
    command = [sys.executable, "-m", "mutmut", "run", "linewise.foundations.atomic.x_write_text__mutmut_1"]
    subprocess.run(command, stdout=sys.stderr, check=True)


def results() -> dict[str, dict[str, str]]:
    """By file below `src/`: what became of each of its mutants."""
    found = {}
    for path in sorted(Path("mutants/src").rglob("*.py.meta")):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        found[str(path.relative_to("mutants"))[:-5]] = {
            name: status_by_exit_code[code] for name, code in codes.items()
        }
    return found


def belongs(name: str, group: str) -> bool:
    return any(fnmatch.fnmatch(name, f"linewise.{pattern}") for pattern in GROUPS[group])


def sampled(names: list[str], most: int | None, seed: int) -> list[str]:
    """Independent of what ran before, so that a sample can be gone on with, or enlarged."""
    if most is None:
        return names
    drawn = set(random.Random(seed).sample(names, len(names))[:most])
    return [name for name in names if name in drawn]


def run(mutants: list[tuple[str, str]], processes: int) -> None:
    """By `forked.py`, in mutmut's copy of the project."""
    options = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["mutmut"]
    tests = [*options["pytest_add_cli_args"], *options["pytest_add_cli_args_test_selection"]]
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as scratch:
        asked = Path(scratch) / "asked"
        asked.write_text("".join(f"src/{path.removeprefix('src/')}.meta {name}\n" for path, name in mutants))
        here = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "mutants" / "src", ROOT / "fuzz"))),
            "LINEWISE_MUTANTS": str(asked),
            "LINEWISE_SCRATCH": scratch,
            "LINEWISE_PROCESSES": str(processes),
            "MUTANT_UNDER_TEST": "",
        }
        command = [sys.executable, "-m", "pytest", "--rootdir=.", "-q", "-s", "-p", "forked", *tests]
        subprocess.run(command, cwd="mutants", env=here, stdout=sys.stderr, check=True)


def tell() -> None:
    lines = [f"| module | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    total, left = Counter(), []
    for path, states in results().items():
        found = Counter(state for state in states.values() if state not in NOT_RUN)
        row = Counter(mutants=len(states), run=found.total(), **found)
        total += row
        lines.append(line(path.removeprefix("src/linewise/"), row))
        left += [survivor(path, name, state) for name, state in states.items() if state in SURVIVED]
    print("\n".join([*lines, line("all", total), "", f"{len(left)} survived:", "", *left]))  # noqa: T201


def line(name: str, row: Counter[str]) -> str:
    return f"| {name} | {' | '.join(f'{row[column]:,}' for column in COLUMNS)} |"


def survivor(path: str, name: str, state: str) -> str:
    """Where it is, and what was changed, in one line."""
    function = orig_function_and_class_names_from_key(name)[0]
    diff = get_diff_for_mutant(name, path=path).splitlines()[2:]
    start = int(diff[0].split()[1].split(",")[0].lstrip("-"))
    before = next((number for number, text in enumerate(diff[1:]) if text[:1] in "-+"), 0)
    first = beginning(path, mangled_name_from_mutant_name(name), function)
    gone, come = (" ".join(text[1:].strip() for text in diff if text[:1] == sign) for sign in "-+")
    told = " (no test)" if state == "no tests" else ""
    return f"- {path.removeprefix('src/linewise/')}:{first + start - 1 + before}{told} `{gone}` → `{come}`"


def beginning(path: str, mangled: str, function: str) -> int:
    """The line of the source where a function begins."""
    holder = mangled.rpartition(".")[2].split("ǁ")[1] if "ǁ" in mangled else None
    body: list[ast.stmt] = ast.parse(Path(path).read_text()).body
    if holder:
        body = next(node.body for node in body if isinstance(node, ast.ClassDef) and node.name == holder)
    name = function.rpartition(".")[2]
    return next(node.lineno for node in body if isinstance(node, ast.FunctionDef) and node.name == name)


if __name__ == "__main__":
    main()

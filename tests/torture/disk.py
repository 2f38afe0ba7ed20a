"""One failing call after another: the same commands afterwards come to the same bits."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linewise.foundations.errors import LinewiseError
from linewise.foundations.folder import StudyFolder
from torture import bits
from torture.calls import KINDS, Counts, counted

TINY = (
    "digits", "--images", "100", "--epochs", "1", "--batch-size", "40", "--checkpoint-every", "0",
)  # fmt: skip
STUDY = (*TINY, "--models", "gru:hidden=4", "--match", "none", "--seeds", "1", "--jobs", "0", "--no-report")
SCENES: dict[str, tuple[tuple[str, ...], ...]] = {
    "study": (("compare", *STUDY, "--out", "OUT"), ("report", "--no-figures", "OUT")),
    "tuned study": (("compare", *STUDY, "--tune", "2", "--out", "OUT"),),
    "train": (("train", *TINY, "--model", "gru:hidden=4", "--out", "OUT"),),
}
ERRORS = {"ENOSPC": (errno.ENOSPC, False), "EIO": (errno.EIO, False), "ENOSPC, lasting": (errno.ENOSPC, True)}
NEEDED = re.compile("to mend:|tries (it|them) again|goes on")
"""What a message must have besides the cause."""


@dataclass(frozen=True)
class Case:
    """The call to fail: number `at` of a kind, in a scene, with an error."""

    scene: str
    kind: str
    at: int
    error: str

    def __str__(self) -> str:
        return f"{self.scene}, {self.kind} {self.at}, {self.error}"


@dataclass(frozen=True)
class Said:
    code: int
    err: str


def linewise(*arguments: str) -> Said:
    """The command line in this process; an error that is nobody's message comes through."""
    from linewise.__main__ import main

    out, err, code = io.StringIO(), io.StringIO(), 0
    before, argv = signal.getsignal(signal.SIGTERM), sys.argv
    sys.argv = ["linewise", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    finally:
        signal.signal(signal.SIGTERM, before)
        sys.argv = argv
    return Said(code, err.getvalue())


def play(scene: str, out: Path) -> Said:
    """The commands of a scene, up to the first that fails."""
    said = Said(0, "")
    for command in SCENES[scene]:
        said = linewise(*(str(out) if word == "OUT" else word for word in command))
        if said.code:
            break
    return said


def undisturbed(scene: str, folder: Path) -> tuple[dict[str, Any], Counts]:
    """What a scene comes to, and the calls that it makes."""
    with counted(folder) as counts:
        said = play(scene, folder / "whole")
    assert said.code == 0, said.err
    return outcome(scene, folder / "whole"), counts


def outcome(scene: str, out: Path) -> dict[str, Any]:
    return bits.of_run(out) if scene == "train" else bits.of_study(out)


def cases(scene: str, counts: Counts) -> list[Case]:
    """Every N of every kind, with every error."""
    return [
        Case(scene, kind, at, error)
        for kind in KINDS
        for at in range(1, counts.calls[kind] + 1)
        for error in ERRORS
    ]  # fmt: skip


def one(case: Case, wanted: dict[str, Any], folder: Path) -> tuple[str, list[str]]:
    """Play a scene with one failing call, then undisturbed.

    Returns:
        How the first ended (`said`, `passed over` or `not reached`), and what is wrong.
    """
    out = folder / "s"
    code, lasting = ERRORS[case.error]
    with counted(folder, case.kind, case.at, code, lasting) as counts:
        try:
            said = play(case.scene, out)
        except Exception as error:
            return "traceback", [f"{type(error).__name__}: {error} (at {counts.failed})"]
    if not counts.failed:
        return "not reached", []
    at = f"failed at {counts.failed}"
    wrong = _silence(case.scene, said, os.strerror(code), at) + _after(case.scene, out, wanted, at)
    return "said" if said.code else "passed over", wrong


def _silence(scene: str, said: Said, cause: str, at: str) -> list[str]:
    """What a message lacks, or its exit code tells wrongly."""
    codes = (0, 4) if scene == "train" else (0, 1, 4)  # 1: single runs of a study failed
    wrong = [] if said.code in codes else [f"exit code {said.code} ({at}): {said.err}"]
    wrong += [f"a traceback ({at}): {said.err}"] if "Traceback" in said.err else []
    if said.code and cause not in said.err:
        wrong.append(f"the message does not tell of it ({at}): {said.err}")
    if said.code and not NEEDED.search(said.err):
        wrong.append(f"the message does not say what is needed ({at}): {said.err}")
    return wrong


def _after(scene: str, out: Path, wanted: dict[str, Any], at: str) -> list[str]:
    """What is wrong with what was left, and with what the same command makes of it."""
    wrong = _damage(scene, out)
    if scene == "train" and (out / "checkpoint" / "plan.json").exists():
        again = linewise("train", "--resume", str(out))
    elif scene == "train" and (out / "run.json").exists():
        again = Said(0, "")
    else:
        again = play(scene, out)
    if again.code:
        wrong.append(f"the same command: {again.err}")
    else:
        wrong += bits.differences(outcome(scene, out), wanted)
        wrong += [f"left behind: {name}" for name in bits.leftovers(out)]
    return [f"{why} ({at})" for why in wrong]


def _damage(scene: str, out: Path) -> list[str]:
    """What cannot be read of what is there: files are those of before, or whole."""
    if scene == "train" or not (out / "study.json").exists():
        return []
    try:
        folder = StudyFolder.open(out)
        for run in folder.runs():
            run.epochs()
            run.predictions("test")
        folder.openings()
    except LinewiseError as error:
        return [f"damaged: {error}"]
    return []


class NoMountError(Exception):
    """No file system of a chosen size can be had here; says why."""


@contextlib.contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[Callable[[int], None]]:
    """A real file system of so many KiB at `folder` (tmpfs), and a function that gives it another size.

    Raises:
        NoMountError: this user or this system may not mount.
    """

    def mount(*words: str) -> None:
        done = subprocess.run(["mount", *words, str(folder)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoMountError(done.stderr.strip())

    folder.mkdir(exist_ok=True)
    if os.geteuid():
        raise NoMountError("only root may mount")
    try:
        mount("-t", "tmpfs", "-o", f"size={kib}k", "tmpfs")
    except FileNotFoundError:
        raise NoMountError("no `mount` here") from None
    try:
        yield lambda kib: mount("-o", f"remount,size={kib}k")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def full(scene: str, kib: int, wanted: dict[str, Any], folder: Path) -> tuple[str, list[str]]:
    """Play a scene on a disk of so many KiB, then make room; as `one`."""
    with small_disk(folder, kib) as resize:
        out, at = folder / "s", f"on {kib} KiB"
        try:
            said = play(scene, out)
        except Exception as error:
            return "traceback", [f"{type(error).__name__}: {error} ({at})"]
        wrong = _silence(scene, said, os.strerror(errno.ENOSPC), at)
        resize(64 << 10)
        wrong += _after(scene, out, wanted, at)
    return "said" if said.code else "not full", wrong

"""The short form of the fuzzing: each loader is given its whole files and thousands of spoilt ones, by a fixed seed.

Only errors that are told to people may come out, in less than a second of the processor and 512 MB each. The long
form is `make fuzz`; its last result is in docs/reliability-fuzzing.md.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fuzzing.every import TARGETS
from fuzzing.targets import attempt
from linewise.foundations.errors import LinewiseError

INPUTS = {
    "idx": 1500, "csv": 2000, "npz": 1500, "image": 2000, "model.json": 1500, "safetensors": 600, "weights": 1000, "onnx": 1000,
    "configuration": 3000, "journal": 1500, "records": 500, "study": 80,
}  # fmt: skip
"""About two seconds each."""


@contextmanager
def silenced() -> Iterator[None]:
    """libtiff writes its complaints to the process's standard error, past Python."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@pytest.mark.parametrize("name", INPUTS)
def test_only_errors_for_people(tmp_path: Path, name: str) -> None:
    target, rng = TARGETS[name](tmp_path / "target"), random.Random(7)
    seeds = target.seeds()
    found: dict[str, bytes] = {}
    with silenced():
        for number in range(INPUTS[name]):
            data = target.spoil(rng, seeds[number % len(seeds)])
            while rng.random() < 0.3:
                data = target.spoil(rng, data)
            if wrong := attempt(target, data):
                found[wrong] = data
    assert not found


@pytest.mark.parametrize(
    "name", ["idx", "csv", "npz", "image", "safetensors", "weights", "onnx", "journal", "records", "study"]
)
def test_whole_files_are_taken(tmp_path: Path, name: str) -> None:
    """Else nothing behind the first check would ever be reached."""
    target = TARGETS[name](tmp_path / "target")
    for data in target.seeds():
        target.feed(data)


def test_a_bad_target_would_be_found(tmp_path: Path) -> None:
    from fuzzing.targets import Target

    class Bad(Target):
        name = "bad"

        def seeds(self) -> list[bytes]:
            return [b"x"]

        def feed(self, data: bytes) -> None:
            if data == b"slow":
                started = time.process_time()
                while time.process_time() < started + 1.1:
                    pass
            if data == b"ours":
                raise LinewiseError("no good")
            if data == b"mute":
                raise LinewiseError(" ")
            if data == b"theirs":
                raise KeyError("x")

    bad = Bad(tmp_path)
    assert attempt(bad, b"fine") == attempt(bad, b"ours") == ""
    assert attempt(bad, b"theirs").startswith("KeyError: 'x' at test_fuzzing.py:")
    assert attempt(bad, b"mute").startswith("a message of ")
    assert attempt(bad, b"slow").endswith(" s")


LARGE = """
from pathlib import Path
from fuzzing.targets import Target, attempt
class Large(Target):
    name = "large"
    def seeds(self):
        return []
    def feed(self, data):
        bytearray(b"x") * (2**29 + 2**26)
print(attempt(Large(Path(".")), b""))
"""


def test_a_target_that_takes_too_much_would_be_found(tmp_path: Path) -> None:
    """In a process of its own, so that nothing freed before is taken again."""
    here = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", LARGE], cwd=tmp_path, env=here, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith(" MB")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("idx", b"\0\0\0\x08\x03" + bytes(4) + b"\x80\0\0\0" * 2),  # "array is too big"
        ("idx", b"\0\0\0\x08\x03\0\0\0\x18" + bytes(4) + b"\0\0\0\4"),  # division by zero
        ("csv", b"label,p0,p1,p2,p3\n1," + b"9" * 5000 + b",0,0,0\n"),  # more digits than Python converts
        ("csv", b"label,p0,p1,p2,p3\n" + b"9" * 400 + b",0,0,0,0\n8,0,0,0,1\n"),  # a float that is infinite
        ("csv", b"label,p0,p1,p2,p3\n" + b"".join(b"9" * 5000 + b"%d,%d,0,0,0\n" % (i % 2, i) for i in range(9))),
        ("csv", b"label,p0,p1,p2,p3\n1\n2\n"),  # NumPy warns of no data
        ("configuration", b"a = " + b"[" * 9000),  # recursion
        ("configuration", b"lr = " + b"9" * 5000),
        ("weights", b"\0" + b"PK\5\6" + b"\1" * 18),  # an archive on several disks
        ("journal", b"[" * 100_000),  # recursion
    ],
    ids=range(10),
)  # fmt: skip
def test_what_the_fuzzing_found(tmp_path: Path, name: str, data: bytes) -> None:
    """Each ended in a traceback once; arrays in test_records.py, names in pictures in test_folders.py."""
    assert attempt(TARGETS[name](tmp_path / "target"), data) == ""

"""What is said of a disk that is full, or of a limit that stands in the way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WRITE = """
import sys
from pathlib import Path
from linewise.foundations.disk import DiskError, watched
try:
    with watched(Path.cwd(), "the same command goes on"):
        Path(sys.argv[1]).write_bytes(bytes(100_000))
except DiskError as error:
    print(error)
"""


def test_a_limit_on_the_size_of_files_is_told_as_one(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    command = ["sh", "-c", 'ulimit -f 16; exec "$@"', "sh", sys.executable, "-c", WRITE, str(file)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert said.stdout == (
        f"{tmp_path}: File too large for the limit on the size of files (`ulimit -f`), or for its file system\n"
        "  to mend:  raise it, or take another disk; the same command goes on\n"
    ), said.stderr

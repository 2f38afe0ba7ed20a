"""Memory of a study: what its worker processes take beyond the data, which they share.

    python benchmarks/memory.py [--images 4000] [--models lstm,gru,cnn] [--epochs 1]

Runs `linewise compare mnist` and reads /proc of the command and of its workers ten times a second (Linux). A
worker's memory is what it has written (`Anonymous` in smaps_rollup); what no other process has (`Private_*`)
contains pages of libraries as long as nobody else has loaded them; its part of what it shares is in Pss: the
images are a memory map that all workers share. Printed: the largest values seen.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MIB = 1024


def smaps(pid: int) -> dict[str, int]:
    """KiB by name; empty where the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return {}
    return {line.split(":")[0]: int(line.split()[1]) for line in lines}


def workers(pid: int) -> list[int]:
    """Processes below a process that are workers."""
    found = []
    for child in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(child.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            words = child.joinpath("cmdline").read_text()
        except (OSError, IndexError, ValueError):
            continue
        if parent == pid:
            found += [int(child.name)] if "popen_loky" in words else []
            found += workers(int(child.name))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--models", default="lstm,gru,cnn")
    parser.add_argument("--epochs", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "linewise",
            "compare",
            "mnist",
            "--images",
            str(chosen.images),
            "--budget",
        ]
        command += ["80k", "--models", chosen.models, "--seeds", "1", "--epochs", str(chosen.epochs)]
        command += ["--out", f"{folder}/study", "--no-report"]
        main_process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        most: dict[str, int] = {}
        while main_process.poll() is None:
            for who, pids in (("command", [main_process.pid]), ("worker", workers(main_process.pid))):
                for pid in pids:
                    seen = smaps(pid)
                    own = seen.get("Private_Clean", 0) + seen.get("Private_Dirty", 0)
                    for kind, value in (
                        (f"{who}, what it has written", seen.get("Anonymous", 0)),
                        (f"{who}, what no other process has", own),
                        (f"{who}, with its part of what is shared", seen.get("Pss", 0)),
                    ):
                        most[kind] = max(most.get(kind, 0), value)
            time.sleep(0.1)
    for kind, value in most.items():
        print(f"{kind}: {value / MIB:.0f} MiB")
    print(f"images: {(chosen.images + 20_000) * 784 / 2**20:.0f} MiB, n = 1 study; exit {main_process.returncode}")


if __name__ == "__main__":
    main()

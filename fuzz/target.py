"""One target for some seconds; started by `long.py`: `target.py NAME SECONDS SEED FOUND STATE LED_BY`."""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import tempfile
import time
import warnings
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

atheris = None
if sys.argv[-1] == "coverage":
    with suppress(ImportError):
        import atheris

TOLD_EVERY_S = 1.0


class Tally:
    """Inputs counted and findings kept, on disk every second: libFuzzer ends the process without a word."""

    def __init__(self, found: Path, state: Path, name: str, known: int = 0) -> None:
        """`known` inputs of earlier sittings are run first, and not counted again."""
        self.found, self.state, self.name = found, state, name
        self.inputs, self.findings = -known, {}
        self.started = self.told = time.monotonic()

    def count(self, wrong: str, data: bytes) -> None:
        self.inputs += 1
        if wrong:
            what = " ".join(wrong.split())[-150:] if " at " in wrong else " ".join(wrong.split())[:150]
            if what not in self.findings:
                self.found.joinpath(f"{self.name}-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)
            self.findings[what] = self.findings.get(what, 0) + 1
        if wrong or time.monotonic() - self.told > TOLD_EVERY_S:
            self.tell()

    def tell(self) -> None:
        self.told = time.monotonic()
        led_by = "coverage" if atheris else "mutator"
        told = {
            "inputs": self.inputs,
            "seconds": self.told - self.started,
            "findings": self.findings,
            "led_by": led_by,
        }
        partial = self.state.with_suffix(".partial")
        partial.write_text(json.dumps(told))
        os.replace(partial, self.state)


def main() -> None:
    name, seconds, seed, found, state, _ = sys.argv[1:]
    os.nice(19)
    scratch = tempfile.TemporaryDirectory(
        prefix="linewise-fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None
    )
    os.environ["LINEWISE_CACHE"] = f"{scratch.name}/cache"
    if atheris:
        with atheris.instrument_imports(include=["linewise", "zipfile", "tomllib", "csv"]):
            from fuzzing.every import TARGETS
            from fuzzing.targets import attempt
    else:
        from fuzzing.every import TARGETS
        from fuzzing.targets import attempt
    import torch

    torch.set_num_threads(1)
    target = TARGETS[name](Path(scratch.name) / "target")
    corpus = Path(found) / "corpus" / name
    known = len(list(corpus.glob("*"))) if atheris else 0
    tally = Tally(Path(found), Path(state), name.replace(".", "-"), known)
    warnings.simplefilter("ignore")
    if atheris is None:
        without_coverage(target, attempt, tally, float(seconds), random.Random(int(seed)))
        return
    corpus.mkdir(parents=True, exist_ok=True)
    whole = Path(scratch.name) / "whole"
    whole.mkdir()
    for number, data in enumerate(target.seeds()):
        (whole / str(number)).write_bytes(data)

    def feed(data: bytes) -> None:
        tally.count(attempt(target, data), data)

    def spoil(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.5:
            return target.spoil(rng, data)[:most]
        return atheris.Mutate(data, most)

    flags = ["-max_len=65536", f"-max_total_time={seconds}", f"-seed={seed}", "-rss_limit_mb=8192", "-timeout=60"]
    atheris.Setup([sys.argv[0], *flags, str(corpus), str(whole)], feed, custom_mutator=spoil)
    atheris.Fuzz()


def without_coverage(target, attempt, tally, seconds: float, rng: random.Random) -> None:
    seeds, until = target.seeds(), time.monotonic() + seconds
    while time.monotonic() < until:
        data = target.spoil(rng, rng.choice(seeds))
        while rng.random() < 0.3:
            data = target.spoil(rng, data)
        tally.count(attempt(target, data), data)
    tally.tell()


if __name__ == "__main__":
    main()

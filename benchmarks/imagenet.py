"""What ImageNet at 224² with Sequencer2D-S would take on 1, 8 and 64 GPUs. Nothing of it is trained here.

    python benchmarks/imagenet.py [--gpu-rate 231] [--batch 128] [--epochs 300]

Measured here: decoding photographs of ImageNet's usual size on one core, hashing, and reading batches at random
from a decoded file (of which the page cache holds a part, so it is what the code can do, not what a disk can).
Counted here: parameters and multiply-adds, by our own cost meter. All else is published or assumed, and is printed
with its source. For each number of GPUs the time of a step that each resource would need alone is compared; the
largest is the bottleneck, and the step takes at least that long (if all of them overlap) and at most their sum.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from linewise.foundations.environment import processor
from linewise.images.files.decode import Decoded, decode_quietly
from linewise.images.mapped import Mapped
from linewise.images.preprocessing import Geometry
from linewise.models import specify

TRAIN, VALIDATION, CLASSES, SIDE = 1_281_167, 50_000, 1000, 224
STORED = (375, 500)
"""Height and width that most images of ImageNet have."""
ROW = SIDE * SIDE * 3
PER_MACHINE = 8


def rate(work: Callable[[], int], at_least_s: float = 3.0) -> float:
    """Items in a second of the processor: other work on the machine does not count; the fastest of five turns."""
    best = 0.0
    for _ in range(5):
        started, done = time.process_time(), 0
        while time.process_time() - started < at_least_s / 5:
            done += work()
        best = max(best, done / (time.process_time() - started))
    return best


def photograph(rng: np.random.Generator) -> bytes:
    """A JPEG of ImageNet's usual size in pixels and in bytes (about 110 kB): coarse shapes under fine grain."""
    coarse = rng.integers(0, 256, (8, 10, 3), np.uint8)
    shapes = np.asarray(Image.fromarray(coarse).resize(STORED[::-1], Image.Resampling.BICUBIC), np.float32)
    grain = rng.normal(0, 13, (*STORED, 1)).astype(np.float32)
    packed = BytesIO()
    Image.fromarray((shapes + grain).clip(0, 255).astype(np.uint8)).save(packed, "JPEG", quality=92)
    return packed.getvalue()


def decoding(geometry: Geometry) -> tuple[float, float]:
    """Photographs a second on one core, and their bytes in the mean."""
    files = [photograph(np.random.default_rng(i)) for i in range(16)]

    def work() -> int:
        return sum(isinstance(decode_quietly(BytesIO(file), geometry, 50), Decoded) for file in files)

    return rate(work), float(np.mean([len(file) for file in files]))


def reading(folder: Path, batch: int) -> float:
    """Images a second, read at random as batches from a decoded file of 600 MB."""
    number, rng = 4000, np.random.default_rng(0)
    stored = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (number, SIDE, SIDE, 3))
    for i in range(number):
        stored[i] = i % 256
    stored.flush()
    del stored
    images = Mapped(folder / "images.npy")
    return rate(lambda: len(images[rng.integers(0, number, batch)]))


def days(seconds: float) -> str:
    for unit, length in (("days", 172_800), ("h", 5400), ("min", 90)):
        if seconds >= length:
            return f"{seconds / {'days': 86_400, 'h': 3600, 'min': 60}[unit]:.1f} {unit}"
    return f"{seconds:.0f} s"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--gpu-rate", type=float, default=231, help="images/s that one GPU trains")
    asked.add_argument("--batch", type=int, default=128, help="images per GPU and step")
    asked.add_argument("--epochs", type=int, default=300)
    asked.add_argument("--disk", type=float, default=2.0, help="GB/s of each machine's own disk, at random")
    asked.add_argument("--cores", type=int, default=64, help="cores of a machine")
    asked.add_argument("--inside", type=float, default=12.0, help="GB/s between GPUs of a machine")
    asked.add_argument("--between", type=float, default=1.25, help="GB/s between machines")
    given = asked.parse_args()
    model = specify("sequencer2d_s", {}, num_classes=CLASSES, in_chans=3, img_size=(SIDE, SIDE))
    cost, total = model.cost, TRAIN + VALIDATION
    decode_rate, file_bytes = decoding(Geometry(height=SIDE, width=SIDE, channels=3, fit="crop"))
    block = os.urandom(1 << 24)
    hash_rate = rate(lambda: len(hashlib.sha256(block).digest()) and len(block))
    with tempfile.TemporaryDirectory() as folder:
        read_rate = reading(Path(folder), given.batch)
    gradient = 4 * cost.parameters
    jpeg = f"measured: JPEG of 375×500, {file_bytes / 1e3:.0f} kB, to 224×224"
    numbers = [
        ("parameters", f"{cost.parameters:,}", "cost meter"),
        ("multiply-adds per image, forward", f"{cost.macs / 1e9:.2f} G", "cost meter, recurrences included"),
        ("training on one GPU", f"{given.gpu_rate:g} images/s", "`--gpu-rate`"),
        ("decoding, one core", f"{decode_rate:,.0f} images/s", jpeg),
        ("reading batches, one process", f"{read_rate * ROW / 1e9:.1f} GB/s", "measured, from the page cache"),
        ("SHA-256, one core", f"{hash_rate / 1e9:.2f} GB/s", "measured"),
        ("decoded images on disk", f"{total * ROW / 1e9:.0f} GB", f"{total:,} × 224 × 224 × 3 bytes"),
        ("gradients", f"{gradient / 1e6:.0f} MB a step", "4 bytes per parameter"),
        ("disk of a machine", f"{given.disk:g} GB/s", "assumed: one NVMe disk, reads of 150 kB"),
        ("between GPUs of a machine", f"{given.inside:g} GB/s", "assumed: PCIe 4.0, half of its 25 GB/s"),
        ("between machines", f"{given.between:g} GB/s", "assumed: 10 Gbit/s Ethernet"),
    ]
    once = total / (decode_rate * given.cores)
    print(f"{processor()}, one core of {len(os.sched_getaffinity(0))}; processor time, fastest of 5 turns\n")
    table(["number", "value", "where from"], numbers)
    print(
        f"Once per machine, decoding on {given.cores} cores: {days(once)}; at each start, the fingerprint: ",
        end="",
    )
    print(f"{days(total * ROW / hash_rate)}\n")
    rows = []
    for gpus in (1, 8, 64):
        machines, here = -(-gpus // PER_MACHINE), min(gpus, PER_MACHINE)
        disk = max(given.batch * here * ROW / (given.disk * 1e9), given.batch / read_rate)
        ring = 2 * (here - 1) / here * gradient / (given.inside * 1e9)
        ring += 2 * (machines - 1) / machines * gradient / (given.between * 1e9)
        step = {"GPU": given.batch / given.gpu_rate, "reading": disk, "network": ring}
        bottleneck = max(step, key=lambda name: step[name])
        took = step[bottleneck], sum(step.values())
        epoch = [TRAIN * each / (given.batch * gpus) for each in took]
        times = [f"{days(short)} to {days(long)}" for short, long in (epoch, [given.epochs * e for e in epoch])]
        milliseconds = [f"{seconds * 1e3:.0f} ms" for seconds in step.values()]
        speed = f"{given.batch * gpus / took[1]:,.0f} to {given.batch * gpus / took[0]:,.0f}"
        cores = f"{given.batch * gpus / took[0] / decode_rate:,.0f}"
        rows.append((f"{gpus}", f"{machines}", *milliseconds, bottleneck, speed, *times, cores))
    table(
        ["GPUs", "machines", "GPU", "reading", "all-reduce", "bottleneck", "images/s", "one epoch",
         f"{given.epochs} epochs", "cores that decoding in every epoch would take"],
        rows,
    )  # fmt: skip


def table(heads: list[str], rows: Sequence[tuple[str, ...]]) -> None:
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print()


if __name__ == "__main__":
    main()

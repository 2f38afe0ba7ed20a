"""How many images a second `linewise serve` answers over HTTP, how soon, and what it does at 4 times that.

    python benchmarks/serving.py RUN [RUN…] [--seconds 10] [--image FILE.png] [--images 1]

Starts a server on loopback for each run and drives it with wrk: each request posts one image as bytes, or
`--images` of them as a form. Capacity is the best rate in a closed loop over several numbers of connections. Then
many connections each wait at random between requests, so that together they ask at that rate and at four times it:
what the server cannot take it must refuse at once. Latencies are of all answers, refusals among them. Prints
Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SCRIPT = """
local file = io.open(os.getenv("IMAGE"), "rb")
wrk.method, wrk.body = "POST", file:read("*all")
wrk.headers["Content-Type"] = os.getenv("KIND")
local pause = tonumber(os.getenv("PAUSE_MS"))
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args) good, busy, other, times = 0, 0, 0, {} end
if pause > 0 then
  function delay() return math.floor(2 * pause * math.random() + 0.5) end
end
function response(status)
  if status == 200 then good = good + 1 elseif status == 503 then busy = busy + 1 else other = other + 1 end
end
function done(summary, latency)
  local good, busy, other = 0, 0, 0
  for _, thread in ipairs(threads) do
    good, busy, other = good + thread:get("good"), busy + thread:get("busy"), other + thread:get("other")
  end
  local e = summary.errors
  print(string.format("RESULT %d %d %d %d %f %f %f", good, busy, other, e.connect + e.read + e.write + e.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True)
class Load:
    """What one drive gave; durations of all answers, refusals among them, in ms."""

    good: int
    busy: int
    other: int
    lost: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def good_per_s(self) -> float:
        return self.good / self.seconds

    @property
    def asked_per_s(self) -> float:
        return (self.good + self.busy + self.other) / self.seconds


@dataclass(frozen=True)
class Asked:
    """What every request posts: a file with the body, its content type, how many images are in it."""

    body: Path
    kind: str
    images: int


def asked(folder: Path, image: Path, images: int) -> Asked:
    if images == 1:
        return Asked(image, "image/png", 1)
    head = b'--part\r\nContent-Disposition: form-data; name="image"; filename="i.png"\r\n'
    head += b"Content-Type: image/png\r\n\r\n"
    body = folder / "form"
    body.write_bytes((head + image.read_bytes() + b"\r\n") * images + b"--part--\r\n")
    return Asked(body, "multipart/form-data; boundary=part", images)


def drive(port: int, what: Asked, connections: int, seconds: float, pause_ms: float = 0) -> Load:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT)
        script.flush()
        done = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", script.name,
             f"http://127.0.0.1:{port}/v1/predict"],
            env={**os.environ, "IMAGE": str(what.body), "KIND": what.kind, "PAUSE_MS": f"{pause_ms:g}"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    good, busy, other, lost, took, p50, p99 = line.split()[1:]
    return Load(int(good), int(busy), int(other), int(lost), float(took), float(p50), float(p99))


def counted(port: int) -> dict[str, float]:
    """What the server itself has counted."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}


def start(run: Path) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "linewise", "serve", str(run), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    said = process.stdout.readline()
    port = int(said.partition(" at http://127.0.0.1:")[2].partition(" ")[0])
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ready").close()
            return process, port
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server is not ready")


def digit(folder: Path, run: Path) -> Path:
    """An image of the model's own size: a test image of its study where there is one, else noise."""
    pre = json.loads((run / "model.json").read_text())["preprocessing"]
    gallery = run.resolve().parent.parent / "gallery.npz"
    if gallery.exists():
        with np.load(gallery) as arrays:
            image_HWC = arrays["images"][0]
    else:
        shape = (pre["height"], pre["width"], pre["channels"])
        image_HWC = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    path = folder / "image.png"
    Image.fromarray(image_HWC[:, :, 0] if image_HWC.shape[2] == 1 else image_HWC).save(path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--image", type=Path)
    parser.add_argument("--images", type=int, default=1, help="of one request")
    options = parser.parse_args()
    cores = f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"Machine: {cores}; server (one thread for the model) and wrk share them.")
    print(f"{options.seconds:g} s each, images per request: {options.images}, loopback.\n")
    titles = ["model", "drive", "connections", "requests asked/s", "answered/s", "images/s", "p50 ms", "p99 ms"]
    titles += ["503", "other", "lost", "images per batch"]
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    with tempfile.TemporaryDirectory() as folder:
        for run in options.runs:
            image = options.image or digit(Path(folder), run)
            measure(run, asked(Path(folder), image, options.images), options.seconds)


def measure(run: Path, what: Asked, seconds: float) -> None:
    process, port = start(run)
    try:
        drive(port, what, 16, min(3, seconds))  # warm-up
        best = 0.0
        for connections in (1, 4, 16, 64):
            load = row(run.name, "closed loop", port, what, connections, seconds)
            best = max(best, load.good_per_s)
        for times in (1, 4):
            rate = times * best
            connections = int(min(900, max(64, rate)))  # about a second between two requests of one
            row(run.name, f"{times}× capacity", port, what, connections, seconds, 850 * connections / rate)
    finally:
        process.terminate()
        process.wait(30)


def row(
    name: str, load_name: str, port: int, what: Asked, connections: int, seconds: float, pause_ms: float = 0
) -> Load:
    """Drive once and print it as a row."""
    before = counted(port)
    load = drive(port, what, connections, seconds, pause_ms)
    after = counted(port)
    batches, images = (
        after[f"linewise_batch_images_{n}"] - before[f"linewise_batch_images_{n}"] for n in ("count", "sum")
    )
    all_asked = load.good + load.busy + load.other
    cells = [name, load_name, f"{connections}", f"{load.asked_per_s:,.0f}", f"{load.good_per_s:,.0f}"]
    cells += [f"{load.good_per_s * what.images:,.0f}"]
    cells += [f"{load.p50_ms:.1f}", f"{load.p99_ms:.1f}", f"{load.busy / max(all_asked, 1):.1%}"]
    cells += [f"{load.other}", f"{load.lost}", f"{images / max(batches, 1):.1f}"]
    print(f"| {' | '.join(cells)} |", flush=True)
    return load


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    main()

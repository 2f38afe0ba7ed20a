"""Every registered network written as ONNX and compared with torch: the table of docs/export.md.

    python benchmarks/onnx_networks.py [--networks PATTERN] [--units 16]

Each has a few units, random weights and images of 28×28 pixels, and is compared on scikit-learn's digits and
noise, as `linewise export` does. Printed as Markdown, one row per network.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from linewise.export.card import FORMS
from linewise.export.exporting import check
from linewise.export.forms import plan, why_not
from linewise.export.pictures import pictures
from linewise.foundations.errors import ConfigError
from linewise.models import create_model, list_models
from linewise.models.network import NETWORKS, Network
from linewise.models.saved import Saved, load_model, save_model

CLASSES = [str(k) for k in range(10)]


def made(name: str, units: int) -> Network:
    known = NETWORKS[name].sizes()
    sizes: dict[str, Any] = {key: units for key in ("hidden", "channels") if key in known}
    torch.manual_seed(0)
    network = create_model(name, num_classes=10, in_chans=1, img_size=(28, 28), **sizes).eval()
    with torch.no_grad():
        for number in network.parameters():  # some start as zeros, of which nothing could be seen
            number.add_(0.02 * torch.randn_like(number))
    return network


def stored(network: Network) -> Saved:
    with TemporaryDirectory() as folder:
        shape = {"height": 28, "width": 28, "channels": 1, "fit": "letterbox", "mean": [0.13], "std": [0.31]}
        save_model(
            Path(folder),
            network,
            class_names=CLASSES,
            preprocessing=shape,
            trained={"data": "arrays"},
            version="0",
        )
        return load_model(folder)


def row(name: str, units: int) -> str:
    saved = stored(made(name, units))
    if why := why_not(saved.network):
        return f"| {name} | {why} | | | | | | |"
    shown, said, worst, seconds, operators = pictures(Path("none"), saved, None), [], 0.0, 0.0, 0
    sides = ""
    for form in FORMS:
        began = time.perf_counter()
        try:
            checked = check(saved, plan(saved.network, form), shown, label=name)
        except ConfigError:
            said.append("no")
            continue
        seconds, worst = max(seconds, time.perf_counter() - began), max(worst, checked.parity.difference)
        said.append("yes")
        if form == "image":
            operators = checked.operators
            free = checked.model.card.any_size
            sides = "fixed" if not free else "any" if free.multiple == 1 else f"multiples of {free.multiple}"
            assert checked.model.session.get_inputs()[0].shape[0] == "batch"
    _, steps, rows = said
    return f"| {name} | any | {sides} | {steps} | {rows} | {operators} | {worst:.1e} | {seconds:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default="*")
    parser.add_argument("--units", type=int, default=16)
    chosen = parser.parse_args()
    print("| network | batch | height and width | `--steps` | `--row-by-row` | operators | difference | s |")
    print("|---|---|---|---|---|--:|--:|--:|")
    for name in list_models(chosen.networks):
        if name != "timm":
            print(row(name, chosen.units), flush=True)
    print("| timm:… | not exported | | | | | | |")


if __name__ == "__main__":
    main()

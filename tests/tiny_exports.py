"""Small networks, saved and exported, for the tests of `linewise.export`; each is written once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from linewise.export.card import Form
from linewise.export.exporting import Checked, check
from linewise.export.forms import plan
from linewise.export.pictures import Pictures
from linewise.models import create_model
from linewise.models.network import NETWORKS
from linewise.models.saved import Saved, load_model, save_model

CLASSES = ["nought", "one", "日本"]
DEEP = ("sequencer2d_s", "sequencer2d_m", "sequencer2d_l", "sequencer1d_s")
"""18 to 36 blocks: written for one size, which takes a third of the time; their parts are those of the small ones."""


def small(name: str, channels: int = 1, **sizes: Any) -> Saved:
    """A network of a few units for 8×8 pixels (or the least it takes), as if it had been trained."""
    known = NETWORKS[name].sizes()
    few = {"hidden": 4, "channels": 8, "layers": 1 if known.get("body") == "blocks" else 2}
    settings = {key: value for key, value in few.items() if key in known and isinstance(known[key], int)}
    if name in ("rnn", "irnn", "lstm", "gru", "birnn", "biirnn", "bilstm", "bigru"):
        settings["layers"] = 1
    if name == "sequencer1d_s":
        settings["layers"] = known["layers"]
    side = 14 if name.startswith(DEEP) else 12 if name == "lenet5" else 8
    torch.manual_seed(0)
    network = create_model(
        name, num_classes=len(CLASSES), in_chans=channels, img_size=(side, side), **{**settings, **sizes}
    ).eval()
    with torch.no_grad():
        for number in (*network.parameters(), *network.buffers()):
            if number.is_floating_point():
                number.add_(0.05 * torch.rand_like(number))
    return saved_as(network)


def saved_as(network: Any, folder: Path | None = None) -> Saved:
    """The same after it was on disk."""
    import tempfile

    height, width = network.config.img_size
    channels = network.config.in_chans
    with tempfile.TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        save_model(
            place,
            network,
            class_names=CLASSES,
            preprocessing={
                "height": height,
                "width": width,
                "channels": channels,
                "fit": "letterbox",
                "mean": [0.4] * channels,
                "std": [0.3] * channels,
            },
            trained={"data": "arrays"},
            version="0",
        )
        return load_model(place)


def images(saved: Saved, number: int = 40) -> np.ndarray:
    """Noise of the network's shape, uint8 `NHWC`."""
    height, width = saved.card.network.img_size
    shape = (number, height, width, saved.card.network.in_chans)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def exported(saved: Saved, form: Form = "image", *, fixed_size: bool = False) -> Checked:
    """Written, opened and compared."""
    prepared = plan(saved.network, form, fixed_size=fixed_size)
    return check(saved, prepared, Pictures(images(saved), "noise"), label="a-label")


@cache
def lstm(form: Form = "image") -> tuple[Saved, Checked]:
    """One network for tests that need no other."""
    saved = small("lstm")
    return saved, exported(saved, form)

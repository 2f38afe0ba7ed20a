"""Networks as they are born, saved as a run is: enough to ask what they answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from linewise.foundations.stopping import StopRule
from linewise.models import create_model
from linewise.models.saved import ModelCard, Saved, load_model, save_model

SIDE, PRE = 12, {"height": 12, "width": 12, "channels": 1, "fit": "letterbox", "mean": [0.2], "std": [0.3]}


def saved(name: str, side: int = SIDE, in_chans: int = 1, **sizes: Any) -> Saved:
    torch.manual_seed(5)
    network = create_model(name, num_classes=4, in_chans=in_chans, img_size=(side, side), **sizes).eval()
    with torch.no_grad():
        if isinstance(network.head, nn.Linear):
            network.head.weight.normal_(std=0.7)  # answers that change from step to step
    card = ModelCard(
        linewise_version="0",
        network=network.config,
        class_names=["a", "b", "c", "d"],
        preprocessing={
            **PRE,
            "height": side,
            "width": side,
            "channels": in_chans,
            "mean": [0.2] * in_chans,
            "std": [0.3] * in_chans,
        },
        sha256="1" * 64,
    )
    return Saved(network, card)


def image(seed: int = 0, side: int = SIDE, channels: int = 1) -> np.ndarray:
    """Strokes on black."""
    rng = np.random.default_rng(seed)
    ink_HW1 = rng.random((side, side, 1)) < 0.3
    return (ink_HW1 * rng.integers(60, 256, (side, side, channels))).astype(np.uint8)


def rule(doubt: float | None, sha256: str = "1" * 64) -> StopRule:
    return StopRule(
        sha256=sha256,
        data="x",
        doubt=doubt,
        budget=0.01,
        confidence=0.9,
        num_images=10,
        num_lost=0,
        num_won=0,
        bound=0.01,
        num_steps=SIDE,
        read=0.5,
    )


def write_run(folder: Path, name: str, class_names: list[str] | None = None, **options: Any) -> Path:
    """The folder of a run, without a study."""
    model = saved(name, **options)
    save_model(
        folder,
        model.network,
        class_names=class_names or model.card.class_names,
        preprocessing=model.card.preprocessing,
        trained={},
        version="0",
    )
    return folder


def write_rule(run: Path, doubt: float | None, sha256: str = "") -> StopRule:
    """A rule for the weights of a run."""
    found = rule(doubt, sha256 or load_model(run).card.sha256)
    found.save(run / "stop.json")
    return found


def write_image(path: Path, seed: int = 0, side: int = SIDE, channels: int = 1) -> Path:
    """A file with `image`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = image(seed, side, channels)
    Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(path, "PNG")
    return path

"""What one place has seen: the pixels that decide a network's features half-way through, drawn for each family.

    python docs/figures/reach.py

For a sequence, the place is the state after half of the steps; for a map or grid, the cell in the middle. Shown is
the mean over 32 random images and starts of |∂ feature / ∂ pixel|, in the logarithm over three powers of ten, of
untrained networks on 28×28 pixels: it shows the wiring, not what is learned.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from linewise.models import create_model

SIDE, SCALE, GAP, TITLE = 28, 6, 14, 20
INK, PAPER = (38, 48, 58), (255, 255, 255)
LIGHT_TO_DARK = ((247, 250, 252), (158, 202, 225), (49, 130, 189), (8, 48, 107))
PAGES = {
    "recurrent": {
        "lstm": {},
        "bilstm": {},
        "gru@rows5-stride2": {"reading": "rows5-stride2"},
        "lstm@columns": {"reading": "columns"},
        "lstm@patches4-hilbert": {"reading": "patches4-hilbert"},
        "gru@spiral-in": {"reading": "spiral-in"},
    },
    "linear": {
        "mingru": {},
        "bimingru": {},
        "lru@snake": {"reading": "snake"},
        "mlstm@patches4": {"reading": "patches4"},
    },
    "grid": {
        "renet": {},
        "sequencer2d_nano": {},
        "sequencer2d_tiny": {},
        "sequencer1d_nano": {},
        "sequencer2d_nano_pooling": {},
        "sequencer2d_nano_identity": {},
    },
    "convolutional": {"cnn": {}, "resnet": {}, "convnext": {}},
    "others": {"vit": {}, "mixer": {}, "mlp": {}},
}


def middle(features: torch.Tensor, text: str) -> torch.Tensor:
    """The features of the place in the middle, of all images."""
    if features.ndim == 2:  # one vector: it has one place
        return features
    if features.ndim == 3:  # steps, or patches line by line
        steps = features.shape[1]
        grid = int(steps**0.5)
        place = (grid // 2) * grid + grid // 2 if text in ("vit", "mixer") else steps // 2
        return features[:, place]
    if text in ("cnn", "resnet"):  # channels first
        return features[:, :, features.shape[2] // 2, features.shape[3] // 2]
    return features[:, features.shape[1] // 2, features.shape[2] // 2]


def reach(text: str, sizes: dict[str, str]) -> np.ndarray:
    """Mean size of the gradient by pixel, `HW`."""
    total = torch.zeros(SIDE, SIDE)
    for seed in range(8):
        torch.manual_seed(seed)
        network = create_model(text.partition("@")[0], num_classes=10, **sizes)
        for module in network.modules():  # a start that shows the wiring of ConvNeXt's branches too
            if isinstance(getattr(module, "gamma", None), torch.nn.Parameter):
                torch.nn.init.ones_(module.gamma)
        x_BCHW = torch.randn(4, 1, SIDE, SIDE, requires_grad=True)
        features = network.forward_features(x_BCHW)
        assert isinstance(features, torch.Tensor)
        seen = middle(features, text)
        (gradient,) = torch.autograd.grad((seen * torch.randn_like(seen)).sum(), x_BCHW)
        total += gradient.abs().mean(dim=(0, 1))
    return total.numpy()


def panel(text: str, values_HW: np.ndarray) -> Image.Image:
    """One network's picture with its name."""
    largest = values_HW.max()
    shade_HW = np.clip(1 + np.log10(np.maximum(values_HW, 1e-12) / largest) / 3, 0, 1)
    stops = np.linspace(0, 1, len(LIGHT_TO_DARK))
    rgb = np.stack([np.interp(shade_HW, stops, [c[i] for c in LIGHT_TO_DARK]) for i in range(3)], axis=-1)
    picture = Image.new("RGB", (SIDE * SCALE, SIDE * SCALE + TITLE), PAPER)
    image = Image.fromarray(rgb.astype(np.uint8)).resize((SIDE * SCALE,) * 2, Image.Resampling.NEAREST)
    picture.paste(image, (0, TITLE))
    draw = ImageDraw.Draw(picture)
    draw.text((0, 2), text, fill=INK, font=ImageFont.load_default(size=12))
    draw.rectangle((0, TITLE, SIDE * SCALE - 1, TITLE + SIDE * SCALE - 1), outline=(190, 198, 206))
    return picture


def main() -> None:
    here = Path(__file__).parent
    for page, networks in PAGES.items():
        panels = [panel(text, reach(text, sizes)) for text, sizes in networks.items()]
        columns = min(3, len(panels))
        lines = -(-len(panels) // columns)
        wide, high = panels[0].width + GAP, panels[0].height + GAP
        sheet = Image.new("RGB", (columns * wide - GAP, lines * high - GAP), PAPER)
        for i, one in enumerate(panels):
            sheet.paste(one, (i % columns * wide, i // columns * high))
        sheet.save(here / f"reach-{page}.png", optimize=True)
        print(here / f"reach-{page}.png")


if __name__ == "__main__":
    main()

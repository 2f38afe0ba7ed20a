"""Linewise's side of epoch_speed.py: its training loop on one thread, one JSON line as its rivals print.

python benchmarks/rivals/linewise_epoch.py lstm [--seed 0] [--epochs 1] [--images 40000] [--data FOLDER]
"""

from __future__ import annotations

import json
import time
from itertools import pairwise

import torch
from data import arguments, mnist

from linewise.foundations.records import Epoch, Recipe
from linewise.foundations.seeds import stream
from linewise.images.batches import Batches
from linewise.models import create_model, specify
from linewise.study.job import pin_threads
from linewise.training.loop import train


def main() -> None:
    chosen = arguments(__doc__, batch_size=128)
    pin_threads(1)
    x_NHW, y_N, test_x_NHW, test_y_N = mnist(chosen.data, chosen.images)
    training = Batches(x_NHW[..., None].copy(), y_N, [0.1307], [0.3081])
    few = Batches(test_x_NHW[:1, ..., None].copy(), test_y_N[:1], [0.1307], [0.3081])
    spec = specify(chosen.model, {}, num_classes=10, in_chans=1, img_size=(28, 28), match="params", budget=80_000)
    torch.manual_seed(stream(chosen.seed, "weights"))
    network = create_model(chosen.model, num_classes=10, **spec.sizes)
    clocks = [time.process_time()]
    epochs_s: list[float] = []

    def on_epoch(epoch: Epoch) -> None:
        epochs_s.append(epoch.train_s)
        clocks.append(time.process_time())

    recipe = Recipe(epochs=chosen.epochs, batch_size=chosen.batch_size)
    train(network, training, few, recipe, chosen.seed, on_epoch=on_epoch)
    cpu_s = [after - before for before, after in pairwise(clocks)]
    found = {
        "rival": "linewise",
        "model": chosen.model,
        "parameters": spec.cost.parameters,
        "epochs_s": epochs_s,
        "epochs_cpu_s": cpu_s,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()

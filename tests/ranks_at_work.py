"""Ranks that train networks together, in processes of their own, without torchrun; what one process makes of the same.

Run as `python ranks_at_work.py RANK WORLD FOLDER KIND…`, it leaves `FOLDER/RANK-KIND.safetensors`. KIND may be
`asked`: the last rank is asked to stop, at one place after the other.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file

from linewise.foundations.interrupts import Stopped
from linewise.foundations.ranks import Ranks
from linewise.foundations.records import Recipe
from linewise.foundations.seeds import stream
from linewise.images.batches import Batches
from linewise.models import create_model
from linewise.study.desk import Agreed
from linewise.training.groups import Group
from linewise.training.keeping import Keeper
from linewise.training.loop import train
from linewise.training.parallel import Parallel

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "lstm": ("lstm", {"hidden": 5, "layers": 2, "dropout": 0.3}),
    "gru": ("gru", {"hidden": 5, "readout": "last-mean"}),
    "rnn": ("rnn", {"hidden": 5, "reading": "columns"}),
    "bilstm": ("bilstm", {"hidden": 4, "layers": 2, "dropout": 0.2}),
    "mingru": ("mingru", {"hidden": 6, "dropout": 0.3}),
    "mlstm": ("mlstm", {"hidden": 8, "readout": "attention"}),
    "cnn": ("cnn", {"stem": 3, "middle": 4, "last": 5, "dropout": 0.3}),
    "resnet": ("resnet", {"channels": 4}),
    "convnext": ("convnext", {"channels": 4, "drop_path": 0.3}),
    "mlp": ("mlp", {"hidden": 6, "layers": 2, "dropout": 0.3}),
    "vit": ("vit", {"channels": 8, "layers": 2, "drop_path": 0.3}),
    "mixer": ("mixer", {"channels": 6, "layers": 2}),
    "renet": ("renet", {"hidden": 3, "dropout": 0.3}),
    "sequencer2d": ("sequencer2d_nano", {"channels": 6, "hidden": 3, "drop_path": 0.3}),
    "sequencer1d": ("sequencer1d_nano", {"channels": 6, "layers": 2, "drop_path": 0.3}),
    "majority": ("majority", {}),
}
RECIPE = Recipe(
    epochs=2, batch_size=12, lr=1e-2, clip=0.5, label_smoothing=0.1, read_along=0.3, weight_decay=0.05,
    augment={"shift": 1.0, "rotate": 10.0, "scale": 0.1, "flip": 0.5, "erase": 0.2},
)  # fmt: skip


def batches(n: int, seed: int, dtype: torch.dtype) -> Batches:
    rng = np.random.default_rng(seed)
    images_NHWC = rng.integers(0, 256, (n, 8, 8, 1), dtype=np.uint8)
    return Batches(images_NHWC, np.arange(n) % 3, mean=[0.4], std=[0.3]).to("cpu", dtype)


def trained(
    kind: str, parallel: Parallel | None = None, dtype: torch.dtype = torch.float64, recipe: Recipe = RECIPE
) -> dict[str, torch.Tensor]:
    """Weights, the table of epochs and the last answers; 47 images are no multiple of a batch, nor of ranks."""
    name, sizes = KINDS[kind]
    torch.manual_seed(stream(3, "weights"))
    network = create_model(name, num_classes=3, img_size=(8, 8), **sizes).to(dtype)
    parts = batches(47, 0, dtype), batches(20, 1, dtype)
    outcome = train(network, *parts, recipe, 3, parallel=parallel)
    table = [list(epoch.model_dump(exclude={"train_s"}).values()) for epoch in outcome.epochs]
    assert outcome.answers_NK is not None
    found = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    found["epochs"], found["answers"] = (
        torch.tensor(table, dtype=torch.float64),
        torch.from_numpy(outcome.answers_NK),
    )
    found["accuracy"] = torch.tensor(parallel.accuracy(network, parts[0]) if parallel else -1.0)
    return found


class Obeying(Keeper):
    """Stops as `Diligent` does, and keeps nothing but where that was."""

    def __init__(self, group: Group) -> None:
        self.agreed, self.place, self.obeyed = Agreed(group), 0, False

    def step_taken(self) -> float:
        self.place += 1
        self._check()
        return 0.0

    def epoch_ended(self) -> None:
        self.place += 100
        self._check()

    def _check(self) -> None:
        self.obeyed = self.agreed.group.asked_to_stop
        self.agreed.check()


def stopped_at(group: Group, call: int) -> int:
    """Where this rank stops when the last one is asked before the loop looks for the `call`-th time; -1: nowhere."""
    calls, keeper, agreed = 0, Obeying(group), list[int]()

    def asked() -> int:
        nonlocal calls
        calls += 1
        return signal.SIGINT if calls >= call and group.ranks.rank == group.ranks.world - 1 else 0

    parallel, network = (
        Parallel(group, asked, lambda: agreed.append(1)),
        create_model("linear", num_classes=3, img_size=(8, 8)),
    )
    parts = batches(47, 0, torch.float32), batches(20, 1, torch.float32)
    try:
        train(network, *parts, RECIPE, 3, parallel=parallel, keeper=keeper)
        keeper.place += 1000
        parallel.accuracy(network, parts[0])
    except Stopped:
        assert len(agreed) == (not keeper.obeyed)  # told once, where they were not between two steps
        return keeper.place
    return -1


def together(world: int, kinds: Sequence[str], folder: Path) -> dict[str, list[dict[str, torch.Tensor]]]:
    """What so many ranks come to, by kind and rank."""
    command = [sys.executable, "-W", "error", __file__]
    ranks = [
        subprocess.Popen([*command, str(rank), str(world), str(folder), *kinds], stderr=subprocess.PIPE, text=True)
        for rank in range(world)
    ]
    said = [rank.communicate(timeout=300)[1] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0] * world, said
    assert said == [""] * world
    return {kind: [load_file(folder / f"{r}-{kind}.safetensors") for r in range(world)] for kind in kinds}


if __name__ == "__main__":
    rank, world, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    store = f"file://{folder / 'store'}"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=world)
    group = Group(Ranks(rank, world, rank, world))
    for kind in sys.argv[4:]:
        if kind == "asked":
            found = {"places": torch.tensor([stopped_at(group, call) for call in range(1, 20)])}
        else:
            found = trained(kind, Parallel(group))
        save_file(found, folder / f"{rank}-{kind}.safetensors")
    dist.destroy_process_group()

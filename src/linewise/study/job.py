"""One run, from a seed to a folder, in whatever process it is given."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from linewise.foundations.allocator import give_back_freed_memory, keep_freed_memory, leaving_nothing
from linewise.foundations.environment import environment
from linewise.foundations.errors import DataError
from linewise.foundations.interrupts import Stopped
from linewise.foundations.records import (
    DataRecord,
    Environment,
    Epoch,
    ModelSpec,
    Origin,
    Recipe,
    RunRecord,
    Times,
)  # fmt: skip
from linewise.foundations.seeds import stream
from linewise.foundations.version import version
from linewise.images.batches import Batches
from linewise.images.mapped import Images, Mapped
from linewise.images.sets import Part
from linewise.models import Network, create_model
from linewise.models.saved import load_model, save_model
from linewise.study.device import in_words, kernels_in_words
from linewise.study.heartbeat import Heartbeat
from linewise.study.keeping import keeper_of
from linewise.study.storage import (
    new_run_folder,
    settle,
    write_epochs,
    write_learning,
    write_predictions,
    write_steps,
)  # fmt: skip
from linewise.training.along import steps_of
from linewise.training.evaluation import correctness_and_loss, probabilities
from linewise.training.keeping import EVERY_S
from linewise.training.loop import Outcome, train

GUARANTEE = "same seed, machine and number of threads: the same bits"
RESUMED_GUARANTEE = "not bit-exact: it was stopped and went on where {changed}"
RANKED_GUARANTEE = (
    "same seed, machines, threads and number of ranks: the same bits; one process: equal within rounding"
)
STACKED_GUARANTEE = "trained with other seeds at once: equal to a run alone within rounding"


@dataclass(frozen=True)
class Arrays:
    """Images on disk that worker processes map into memory, or read batch by batch where they do not fit there.

    Attributes:
        rows: which images of the file; None where it holds these and no others.
    """

    images: Path
    labels: Path
    rows: Path | None = None

    def load(self) -> tuple[Images, np.ndarray]:
        """`images_NHWC` and `labels_N`."""
        if self.rows is None:
            return np.load(self.images, mmap_mode="r"), np.load(self.labels)
        return Mapped(self.images, np.load(self.rows)), np.load(self.labels)

    def batches(self, preprocessing: dict[str, Any]) -> Batches:
        mean, std = preprocessing["mean"], preprocessing["std"]
        images_NHWC, labels_N = self.load()
        if isinstance(images_NHWC, Mapped):
            images_NHWC = Mapped(images_NHWC.path, images_NHWC.rows_N, channels=len(mean))
        return Batches(images_NHWC, labels_N, mean, std)


def share(part: Part, workplace: Path, name: str) -> Arrays:
    """Images where worker processes find them; those that do not fit in memory are used where they lie."""
    labels, images_NHWC = workplace / f"{name}-labels.npy", part.images_NHWC
    np.save(labels, part.labels_N)
    if isinstance(images_NHWC, Mapped):
        rows = workplace / f"{name}-rows.npy"
        np.save(rows, images_NHWC.rows)
        return Arrays(images_NHWC.path, labels, rows)
    images = workplace / f"{name}-images.npy"
    np.save(images, images_NHWC)
    return Arrays(images, labels)


@dataclass(frozen=True, eq=False)
class Job:
    """All a worker needs to train one network."""

    model: ModelSpec
    seed: int
    recipe: Recipe
    data: DataRecord
    training: Arrays
    validation: Arrays
    threads: int
    path: Path
    heartbeat: Path
    launcher: int = field(default_factory=os.getpid)
    device: str = "cpu"
    checkpoint_s: float = EVERY_S
    origin: Origin | None = None
    ranks: int = 1

    @property
    def key(self) -> str:
        return self.path.name

    @property
    def beats(self) -> tuple[Path, ...]:
        return (self.heartbeat,)

    @property
    def is_done(self) -> bool:
        """Its folder is whole, and it did not fail."""
        try:
            return RunRecord.load(self.path / "run.json").status != "failed"
        except DataError:
            return False

    @property
    def chance_seed(self) -> int:
        """What decides order, augmentation and dropout: further epochs do not repeat those of the first."""
        return stream(self.seed, f"after {self.origin.epochs} epochs") if self.origin else self.seed

    def network(self) -> Network:
        """The untrained network, on its device; the seed decides its weights, or the run that is extended."""
        height, width, channels = self.data.shape
        torch.manual_seed(stream(self.seed, "weights"))
        network = create_model(
            self.model.name,
            num_classes=len(self.data.class_names),
            in_chans=channels,
            img_size=(height, width),
            **self.model.sizes,
        )
        if self.origin:
            network.load_state_dict(load_model(self.origin.run, sha256=self.origin.sha256).network.state_dict())
        return network.to(self.device)

    def parts(self) -> tuple[Batches, Batches]:
        """Training and validation images, on a device all of them at once."""
        training, validation = (part.batches(self.data.preprocessing) for part in (self.training, self.validation))
        if self.device != "cpu":
            training, validation = training.to(self.device), validation.to(self.device)
        return training, validation

    def environment(self, seeds_at_once: int = 1, guarantee: str = GUARANTEE) -> Environment:
        """Of this process."""
        return environment(
            self.threads,
            kernels=kernels_in_words(self.device, seeds_at_once),
            guarantee=guarantee if seeds_at_once == 1 else STACKED_GUARANTEE,
            device=in_words(self.device),
            ranks=self.ranks,
        )

    def record(self, *, seeds_at_once: int = 1, changed: Sequence[str] = (), **fields: Any) -> RunRecord:
        """What is written down of the run.

        Args:
            changed: how the process that ended it differs from the one that began it.
        """
        guarantee = GUARANTEE if self.ranks == 1 else RANKED_GUARANTEE
        guarantee = RESUMED_GUARANTEE.format(changed="; ".join(changed)) if changed else guarantee
        return RunRecord(
            model=self.model,
            seed=self.seed,
            recipe=self.recipe,
            data_name=self.data.name,
            data_fingerprint=self.data.fingerprint,
            num_train=sum(self.data.counts["train"].values()),
            environment=self.environment(seeds_at_once, guarantee),
            origin=self.origin,
            **fields,
        )


def pin_threads(threads: int) -> None:
    """Give this process its threads; keep denormal numbers and fresh memory from slowing it manifold."""
    keep_freed_memory()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)


@leaving_nothing()  # loky restarts workers that grow
def run_job(job: Job) -> None:
    """Train, evaluate on training and validation images, and leave a whole run folder.

    Where the run's folder has checkpoints, training goes on from the newest; where it is whole, a process was
    killed just after it had done it, and nothing is left to do.

    Raises:
        Stopped: the process was asked to stop; a checkpoint was written.
    """
    settle(job.path)
    if job.is_done:
        return
    pin_threads(job.threads)
    heartbeat = Heartbeat(job.heartbeat, job.launcher)
    keeper = keeper_of(job, heartbeat, datetime.now(UTC).isoformat(timespec="seconds"))
    training, validation = job.parts()
    network = job.network()
    try:
        outcome = train(
            network, training, validation, job.recipe, job.chance_seed,
            on_step=heartbeat.step, on_epoch=heartbeat.epoch, keeper=keeper,
        )  # fmt: skip
        give_back_freed_memory()  # so that the most is that of one phase, not the sum of what each left free
        kept = keeper.checkpoints
        write_run(job, network, outcome, training, validation, kept.started, changed=kept.changed)
    except Stopped:
        if not job.is_done:
            keeper.save()
        raise


def write_run(
    job: Job,
    network: Network,
    outcome: Outcome,
    training: Batches,
    validation: Batches,
    started: str,
    seeds_at_once: int = 1,
    changed: Sequence[str] = (),
    accuracy: Callable[[Network, Batches], float] | None = None,
) -> None:
    """Evaluate a trained network and leave a whole run folder.

    Args:
        accuracy: counts the training images that are recognised, where not this process alone does so.
    """
    with new_run_folder(job.path) as draft:
        write_epochs(draft, outcome.epochs)
        count = accuracy or _accuracy
        accuracies = {} if outcome.diverged else _evaluate(draft, network, training, validation, outcome, count)
        if outcome.right:
            write_learning(draft, np.stack(outcome.right))
        record = job.record(
            seeds_at_once=seeds_at_once,
            changed=changed,
            status="diverged" if outcome.diverged else "finished",
            reason=outcome.diverged,
            started=started,
            times=_times(outcome, len(training), seeds_at_once),
            **accuracies,
        )
        if not outcome.diverged:
            _save(draft, job, network, outcome.epochs, accuracies)
        record.save(draft / "run.json")


def _evaluate(
    draft: Path,
    network: Network,
    training: Batches,
    validation: Batches,
    outcome: Outcome,
    accuracy: Callable[[Network, Batches], float],
) -> dict[str, float]:
    answers_NK = probabilities(network, validation) if outcome.answers_NK is None else outcome.answers_NK
    write_answers(draft, "validation", network, validation, answers_NK)
    return {
        "train_accuracy": accuracy(network, training),
        "validation_accuracy": float((answers_NK.argmax(axis=1) == validation.labels_N).mean()),
    }


def _accuracy(network: Network, images: Batches) -> float:
    return float(correctness_and_loss(network, images)[0].mean())


def write_answers(folder: Path, split: str, network: Network, images: Batches, answers_NK: np.ndarray) -> None:
    """Add a split's answers to a run's folder, those after each step too where the network has them."""
    if network.answers_each_step:
        write_steps(folder, split, steps_of(network, images, answers_NK), answers_NK.shape[1])
    write_predictions(folder, split, answers_NK, images.labels_N)


def _times(outcome: Outcome, num_train: int, seeds_at_once: int) -> Times | None:
    if not outcome.epochs:
        return None
    seen = num_train * len(outcome.epochs)
    return Times(train_s=outcome.train_s, images_per_s=seen / outcome.train_s, seeds_at_once=seeds_at_once)


def _save(draft: Path, job: Job, network: Network, epochs: list[Epoch], accuracies: dict[str, float]) -> None:
    save_model(
        draft,
        network,
        class_names=job.data.class_names,
        preprocessing=job.data.preprocessing,
        trained={
            "data": job.data.name,
            "fingerprint": job.data.fingerprint,
            "options": job.data.options,
            "seed": job.seed,
            "epochs": len(epochs),
            **{name: round(value, 6) for name, value in accuracies.items()},
        },
        version=version(),
    )

"""The end of a study: the sealed test set is opened, all networks answer it, and are timed in alternation."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from linewise.foundations.allocator import give_back_freed_memory
from linewise.foundations.arrays import read_predictions
from linewise.foundations.folder import Run
from linewise.foundations.records import DataRecord, RunRecord
from linewise.foundations.speed import Speed
from linewise.images.mapped import Images
from linewise.models.saved import load_model
from linewise.study.heartbeat import Heartbeat
from linewise.study.job import Arrays, pin_threads, write_answers
from linewise.study.stopwatch import ROUNDS, time_networks
from linewise.training.evaluation import probabilities

GALLERY_LIMIT, GALLERY_SIDE, RIGHT_PER_CLASS = 3000, 64, 3


@dataclass(frozen=True)
class Examination:
    """All a worker needs to have a finished run answer the test images.

    Attributes:
        path: the run.
    """

    path: Path
    data: DataRecord
    test: Arrays
    threads: int
    device: str = "cpu"


@dataclass(frozen=True)
class Timing:
    """All a worker needs to time the networks of a study.

    Attributes:
        paths: runs whose records are to tell their latency and their test accuracy.
        timed: one run of each network of the study, to be timed together.
        speed: the file for their speeds.
    """

    paths: list[Path]
    timed: list[Path]
    speed: Path
    data: DataRecord
    training: Arrays
    test: Arrays
    threads: int
    heartbeat: Path
    launcher: int = field(default_factory=os.getpid)
    device: str = "cpu"

    @property
    def key(self) -> str:
        return "test"

    @property
    def beats(self) -> tuple[Path, ...]:
        return (self.heartbeat,)


def examine(job: Examination) -> None:
    """Answers on the test images, added to the run's folder."""
    pin_threads(job.threads)
    test, network = job.test.batches(job.data.preprocessing), load_model(job.path).network.to(job.device)
    test = test if job.device == "cpu" else test.to(job.device)
    write_answers(job.path, "test", network, test, probabilities(network, test))
    give_back_freed_memory()


def time_study(job: Timing) -> None:
    """The speed of each network, nothing else running; then the runs' records have all that a test tells."""
    pin_threads(job.threads)
    heartbeat = Heartbeat(job.heartbeat, job.launcher)
    steps = sum(ROUNDS.values())
    records = {path: RunRecord.load(path / "run.json") for path in job.timed}
    training, test = (part.batches(job.data.preprocessing) for part in (job.training, job.test))
    if job.device != "cpu":
        training, test = training.to(job.device), test.to(job.device)
    speed = time_networks(
        {
            record.model.label: (load_model(path).network.to(job.device), record.recipe)
            for path, record in records.items()
        },
        training,
        test,
        job.threads,
        lambda done: heartbeat.step(done, steps),
    )
    speed.save(job.speed)
    for path in job.paths:
        _note(path, speed)


def _note(path: Path, speed: Speed) -> None:
    """Add the test accuracy, which says that a run has been examined, and the latency of its network."""
    record, answers = RunRecord.load(path / "run.json"), read_predictions(path / "predictions.npz", "test")
    assert answers is not None
    latency = [turns.latency() for work in ("1", "1000") if (turns := speed.turns(work, record.model.label))]
    times = record.times.model_copy(update={"latency": latency}) if record.times else None
    accuracy = float(answers.correct_N.mean())
    record.model_copy(update={"test_accuracy": accuracy, "times": times}).save(path / "run.json")


def choose_pictures(runs: list[Run], labels_N: np.ndarray) -> np.ndarray:
    """Test images worth showing: those that some run got wrong, most often wrong first, and a few that none did.

    Returns:
        Positions in the test set, ascending, at most 3,000.
    """
    wrong: Counter[int] = Counter()
    for run in runs:
        answers = run.predictions("test")
        if answers is not None and run.record.model.name != "majority":
            wrong.update(np.flatnonzero(~answers.correct_N).tolist())
    chosen = [index for index, _ in wrong.most_common(GALLERY_LIMIT)]
    for label in np.unique(labels_N):
        right = [int(i) for i in np.flatnonzero(labels_N == label)[:200] if int(i) not in wrong]
        chosen += right[:RIGHT_PER_CLASS]
    return np.array(sorted(set(chosen)), dtype=np.int64)


def thumbnails(images_NHWC: Images, indices_G: np.ndarray) -> np.ndarray:
    """uint8 pictures `GHWC` of the chosen images, at most 64 pixels a side."""
    chosen = np.asarray(images_NHWC[indices_G])
    height, width, channels = chosen.shape[1:]
    factor = min(1.0, GALLERY_SIDE / max(height, width))
    if factor == 1.0:
        return chosen
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = [np.asarray(Image.fromarray(i.squeeze()).resize(size, Image.Resampling.BOX)) for i in chosen]
    return np.stack(small).reshape(len(small), size[1], size[0], channels)

"""The end of a study: the sealed test set is opened, all networks answer it, and are timed in alternation."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from linewise.foundations.folder import Run
from linewise.foundations.records import DataRecord, Latency, RunRecord
from linewise.images.batches import Batches
from linewise.models import Network
from linewise.models.saved import load_model
from linewise.study.heartbeat import Heartbeat
from linewise.study.job import Arrays, pin_threads
from linewise.study.storage import write_predictions
from linewise.training.evaluation import probabilities
from linewise.training.latency import measure

LATENCY_BATCHES = {1: 15, 1000: 5}
"""Batch size → counted rounds."""
GALLERY_LIMIT, GALLERY_SIDE, RIGHT_PER_CLASS = 3000, 64, 3


@dataclass(frozen=True)
class Examination:
    """All a worker needs to examine finished runs on the test set."""

    paths: list[Path]
    data: DataRecord
    test: Arrays
    threads: int
    heartbeat: Path
    launcher: int = field(default_factory=os.getpid)

    @property
    def key(self) -> str:
        return "test"


def examine(job: Examination) -> None:
    """Answers on the test images and latencies, added to each run's folder."""
    pin_threads(job.threads)
    heartbeat = Heartbeat(job.heartbeat, job.launcher)
    test = job.test.batches(job.data.preprocessing)
    networks = [load_model(path).network for path in job.paths]
    steps = len(networks) + sum(LATENCY_BATCHES.values())
    accuracies: list[float] = []
    for i, (path, network) in enumerate(zip(job.paths, networks, strict=True)):
        answers_NK = probabilities(network, test)
        write_predictions(path, "test", answers_NK, test.labels_N)
        accuracies.append(float((answers_NK.argmax(axis=1) == test.labels_N).mean()))
        heartbeat.step(i + 1, steps)
    latencies = [_latencies(networks, test, size, heartbeat, len(networks), steps) for size in LATENCY_BATCHES]
    for i, path in enumerate(job.paths):
        record = RunRecord.load(path / "run.json")
        times = record.times
        if times is not None:
            times = times.model_copy(update={"latency": [batch[i] for batch in latencies]})
        record.model_copy(update={"test_accuracy": accuracies[i], "times": times}).save(path / "run.json")


def _latencies(
    networks: list[Network], test: Batches, size: int, heartbeat: Heartbeat, done: int, steps: int
) -> list[Latency]:
    x_BCHW, _ = next(test.in_order(min(size, len(test))))
    while len(x_BCHW) < size:  # few test images: repeat them
        x_BCHW = torch.cat([x_BCHW, x_BCHW])[:size]
    x_BCHW = x_BCHW.contiguous(memory_format=torch.channels_last)
    return measure(
        networks, x_BCHW, rounds=LATENCY_BATCHES[size], on_round=lambda n: heartbeat.step(done + n, steps)
    )


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


def thumbnails(images_NHWC: np.ndarray, indices_G: np.ndarray) -> np.ndarray:
    """uint8 pictures `GHWC` of the chosen images, at most 64 pixels a side."""
    chosen = np.asarray(images_NHWC[indices_G])
    height, width, channels = chosen.shape[1:]
    factor = min(1.0, GALLERY_SIDE / max(height, width))
    if factor == 1.0:
        return chosen
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = [np.asarray(Image.fromarray(i.squeeze()).resize(size, Image.Resampling.BOX)) for i in chosen]
    return np.stack(small).reshape(len(small), size[1], size[0], channels)

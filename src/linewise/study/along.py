"""Readers among the networks of a study: who learns from `--read-along`, and films of their reading."""

from __future__ import annotations

from collections import Counter

import numpy as np

from linewise.foundations.arrays import Films
from linewise.foundations.errors import ConfigError
from linewise.foundations.folder import Run
from linewise.foundations.records import DataRecord, ModelSpec, StudySpec
from linewise.images.batches import Batches
from linewise.images.mapped import Images
from linewise.models import Network
from linewise.models.create import create_on_meta
from linewise.models.network import READS_STEP_BY_STEP, NetworkConfig, check_sizes
from linewise.models.saved import load_model
from linewise.training.along import probabilities_along

MOST_PAIRS, MOST_FILMED, MOST_FRAMES = 8, 200, 64


def ghost(model: ModelSpec, data: DataRecord) -> Network:
    """A network of a study without its numbers."""
    height, width, channels = data.shape
    config = NetworkConfig(
        name=model.name,
        num_classes=len(data.class_names),
        in_chans=channels,
        img_size=(height, width),
        sizes=check_sizes(model.name, model.sizes),
    )
    return create_on_meta(config)


def unmoved_by_read_along(spec: StudySpec) -> str:
    """A warning that names the networks on which `--read-along` does not act; empty where it acts on all.

    Raises:
        ConfigError: it acts on none.
    """
    if not spec.recipe.read_along:
        return ""
    unmoved = [model.label for model in spec.models if not ghost(model, spec.data).answers_each_step]
    if len(unmoved) == len(spec.models):
        raise ConfigError(
            f"--read-along has no effect on {', '.join(unmoved)}: no answer before the end",
            expected=READS_STEP_BY_STEP,
        )
    return f"--read-along does not act on {', '.join(unmoved)}: no answer before the end" if unmoved else ""


def readers(runs: list[Run]) -> list[Run]:
    """Runs whose answers after each step on the test images are on disk."""
    return [run for run in runs if run.steps("test") is not None]


def choose_films(runs: list[Run], indices_G: np.ndarray) -> np.ndarray:
    """Images of the pairs of classes that the readers confuse most, those confused by most runs first.

    Args:
        runs: readers.
        indices_G: positions in the test set of images that have pictures.

    Returns:
        Positions in the test set, ascending, at most 200, shared evenly among at most 8 pairs.
    """
    behind: dict[tuple[int, int], Counter[int]] = {}
    pictured = set(indices_G.tolist())
    for run in runs:
        answers = run.predictions("test")
        assert answers is not None
        for i in np.flatnonzero(~answers.correct_N).tolist():
            if i in pictured:
                pair = sorted((int(answers.labels_N[i]), int(answers.predicted_N[i])))
                behind.setdefault((pair[0], pair[1]), Counter())[i] += 1
    pairs = sorted(behind.values(), key=lambda images: -images.total())[:MOST_PAIRS]
    each = MOST_FILMED // max(1, len(pairs))
    return np.array(sorted({i for images in pairs for i, _ in images.most_common(each)}), dtype=np.int64)


def film(runs: list[Run], indices_G: np.ndarray, images_NHWC: Images, data: DataRecord) -> Films:
    """Probabilities after each step, at most 64 of them, by the first seed of each reader.

    Args:
        runs: of the study; those that are no readers are left out.
        indices_G: positions of images that have pictures.
        images_NHWC: the test images, uint8.
    """
    reading = readers(runs)
    indices_F = choose_films(reading, indices_G)
    films = Films(indices_F, {}, {}, {})
    if not len(indices_F):
        return films
    images_FHWC, pre = np.asarray(images_NHWC[indices_F]), data.preprocessing
    images = Batches(images_FHWC, np.zeros(len(indices_F)), pre["mean"], pre["std"])
    for run in sorted(reading, key=lambda run: run.seed):
        if run.label not in films.probabilities:
            network = load_model(run.path).network
            films.probabilities[run.label], films.kept[run.label] = probabilities_along(
                network, images, MOST_FRAMES
            )
            seen = [reading.first_seen(*network.config.img_size) for reading in network.readings]
            films.seen[run.label] = np.minimum.reduce(seen)
    return films

"""Answers of a saved network on images and on data sets."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import final

import numpy as np
import torch

from linewise.foundations.errors import DataError, LinewiseError
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import Opening, RunRecord
from linewise.foundations.stopping import StopRule
from linewise.images import Chosen, Preprocessing, SplitOptions, load_for
from linewise.images.answering import Answered, Asking
from linewise.images.batches import Batches
from linewise.images.mapped import Images
from linewise.kernels import prepared
from linewise.models.recurrent.early import EarlyReader, stops
from linewise.models.saved import Saved, load_model
from linewise.study.stopping import FILE, early_reader, load_rule, reader_of
from linewise.study.storage import log_opening
from linewise.tracing import Trace, trace
from linewise.training.along import batch_size, num_steps
from linewise.training.evaluation import probabilities


@final
class RunModel:
    """The trained network of a run, ready to answer; an `images.answering.Answerer`.

    Its weights are not to be changed while it lives: the recurrent layers pack them once (`kernels.prepared`).

    Args:
        run: a run's folder.

    Attributes:
        saved: the network and its card.
        label: what the study calls the network; the name of its architecture outside a study.
        class_names, preprocessing: of the card.
        rule: of `linewise calibrate`; None where there is none for these weights.
        warning: why a `stop.json` that is there is not used; else empty.

    Raises:
        SavedModelError: the model cannot be loaded, or its preprocessing does not fit it.
    """

    def __init__(self, run: str | Path) -> None:
        run = Path(run)
        self.run, self.saved = run, load_model(run)
        self.promise = prepared(self.saved.network)
        self.label = _label(run) or self.saved.card.network.name
        self.class_names = self.saved.card.class_names
        self.preprocessing = Preprocessing.model_validate(self.saved.card.preprocessing)
        self.rule, self.warning = _rule(run, self.saved)

    def probabilities(self, images_NHWC: np.ndarray) -> np.ndarray:
        """Class probabilities `NK`, float32, of prepared uint8 images."""
        if not len(images_NHWC):
            return np.empty((0, len(self.class_names)), np.float32)
        return answers_of(self.saved, images_NHWC)

    def trace(self, image_HWC: np.ndarray, *, gates: bool = False, occlusion: bool = False) -> Trace:
        """How the network reads one image, with the step at which its rule stops; see `tracing.trace`."""
        return trace(self.saved, image_HWC, gates=gates, occlusion=occlusion, rule=self.rule, label=self.label)

    def asking(self, early: bool = False) -> Asking:
        """The way to ask: all is read, and said where the rule would have stopped; or reading stops there.

        Args:
            early: stop reading by the rule.

        Raises:
            DataError: there is no `stop.json`, or it is damaged. ConfigError: it was found for other weights, or
                the network has no answer before its end.
        """
        if early:
            reader_of(self.saved)
            return _Early(early_reader(self.saved, load_rule(self.run)), self.saved)
        return _Whole(self, self.rule)


@final
class _Early:
    """Reads as far as the rule asks."""

    def __init__(self, reader: EarlyReader, saved: Saved) -> None:
        self.reader, self.saved = reader, saved

    def __call__(self, images_NHWC: np.ndarray) -> Answered:
        ((x_BCHW, _),) = _batches(self.saved, images_NHWC).in_order(len(images_NHWC))
        found = self.reader.read(x_BCHW)
        probabilities_NK = torch.softmax(found.logits_BK, dim=1).numpy()
        return Answered(probabilities_NK, self.reader.num_steps, found.read_B.numpy())


@final
class _Whole:
    """Reads all, and says after how many steps the rule would have stopped, where there is one."""

    def __init__(self, model: RunModel, rule: StopRule | None) -> None:
        self.model, self.rule = model, rule

    def __call__(self, images_NHWC: np.ndarray) -> Answered:
        probabilities_NK = self.model.probabilities(images_NHWC)
        if self.rule is None:
            return Answered(probabilities_NK)
        network, enough = reader_of(self.model.saved), []
        with torch.inference_mode():
            for x_BCHW, _ in _batches(self.model.saved, images_NHWC).in_order(batch_size(network)):
                enough.append(stops(network.forward_steps(x_BCHW), self.rule.doubt))
        return Answered(probabilities_NK, num_steps(network), enough_N=torch.cat(enough).numpy())


def _label(run: Path) -> str:
    try:
        return RunRecord.load(run / "run.json").model.label
    except DataError:  # a model saved by hand has no record
        return ""


def _rule(run: Path, saved: Saved) -> tuple[StopRule | None, str]:
    """The rule of a run, where there is one for these weights; else why a file that is there is not used."""
    if not (run / FILE).exists():
        return None, ""
    try:
        rule = load_rule(run)
        reader_of(saved)
    except LinewiseError as error:
        return None, str(error)
    if rule.sha256 != saved.card.sha256:
        return None, f"{run / FILE}: found for other weights, and not used"
    return rule, ""


def answers_of(saved: Saved, images_NHWC: Images) -> np.ndarray:
    """Class probabilities `NK` of prepared uint8 images."""
    return probabilities(saved.network, _batches(saved, images_NHWC))


def _batches(saved: Saved, images_NHWC: Images) -> Batches:
    preprocessing = saved.card.preprocessing
    labels_N = np.zeros(len(images_NHWC), dtype=np.int64)
    return Batches(images_NHWC, labels_N, preprocessing["mean"], preprocessing["std"])


def images_for(run: Path, saved: Saved, data: str, split: str, data_dir: Path | None, command: str) -> Chosen:
    """Images of a data set for a saved model, prepared and named as it was trained.

    Data that the model was trained on are divided as they were then, so that no training image is taken for a test
    image. Opening test images is logged first.

    Raises:
        DataError: the classes differ from the model's, the images changed since it was trained, or the data cannot
            be used.
    """
    options = saved.card.trained.get("options", {})
    known = (options.get("source"), saved.card.trained.get("data")) if isinstance(options, dict) else ()
    again = any(isinstance(name, str) and _same(data, name) for name in known)
    splits = (
        SplitOptions(**{k: v for k, v in options.items() if k in SplitOptions.model_fields}) if again else None
    )
    if split in ("test", "all"):
        note_opening(run, f"evaluated on the {split} images of {data}", command)
    return load_for(
        data,
        Preprocessing.model_validate(saved.card.preprocessing),
        saved.card.class_names,
        split=split,
        splits=splits,
        data_dir=data_dir,
        progress=True,
        trained_fingerprint=str(saved.card.trained.get("fingerprint") or "") if again else "",
    )


def _same(data: str, other: str) -> bool:
    """Whether two names mean the same data: word for word, or as paths that are there, however written."""
    if data == other:
        return True
    try:
        return os.path.samefile(data, other)
    except (OSError, ValueError):  # not there, or not a path
        return False


def note_opening(run: Path, reason: str, command: str) -> None:
    """Log that a run's test set was opened: in its study where it has one, else beside the model."""
    study = run.resolve().parent.parent
    folder = StudyFolder(study if (study / "study.json").is_file() else run)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    log_opening(folder, Opening(time=now, reason=reason, runs=[run.resolve().name], command=command))

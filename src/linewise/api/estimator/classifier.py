"""`ReaderClassifier`: a network of Linewise with scikit-learn's manners."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from linewise.api.estimator import keeping, pixels
from linewise.api.estimator.computing import borrowed
from linewise.api.estimator.fitting import Plan, fit_run
from linewise.api.estimator.pixels import InputError
from linewise.foundations import defaults
from linewise.images.batches import Batches
from linewise.training.evaluation import probabilities


class ReaderClassifier(ClassifierMixin, BaseEstimator):
    """A network that is trained on images and answers with their classes.

    Images are arrays `NHW`, `NHWC` (1 channel or 3) or tables `ND` of their pixels. Networks see 8 bits: uint8
    goes in as it is; other numbers are spread over 0..255 by one range for all pixels, stored with the estimator
    and used for every later image, where values beyond it are cut.

    Args:
        model: as on the command line, `NAME[@READING][:SIZE=VALUE…]`, such as `gru` or `cnn`.
        reading: how an image becomes a sequence, such as `rows` or `columns`; None is the network's own.
        hidden: hidden units, of networks that have them; None is the network's own number.
        layers: layers, of networks that let them be chosen.
        budget: solve the width to this many parameters; None leaves the width.
        epochs: passes over the training images.
        batch_size: images per step; None chooses 16 to 128 by their number.
        learning_rate: peak of the one-cycle schedule.
        augment: augmentations by name and strength, such as `{"shift": 2}`.
        validation_fraction: share of the images, drawn class by class, that is watched and not trained on;
            nothing is chosen by it.
        image_shape: `(H, W)` or `(H, W, C)` of the rows of a table, one of them -1 where it follows; None: square.
        pixel_range: the values that become black and white; None: 0 and 255 for uint8, else the extremes of the
            training images.
        random_state: decides weights, order and augmentation. The same number repeats, on one machine, bit for
            bit.
        threads: processor threads.
        device: `cpu` or `cuda`.
        verbose: a line per epoch.

    Attributes:
        classes_: the labels, in the order of the probabilities.
        n_features_in_: pixels of an image, channels counted.
        image_shape_: height, width, channels.
        pixel_range_: the values that became 0 and 255.
        history_: loss and accuracy after each epoch, on training and on validation images, a list each.

    Raises:
        InputError: a ValueError: images or settings that cannot be used, or training that diverged.

    Example:
        >>> from sklearn.datasets import load_digits
        >>> images, labels = load_digits(return_X_y=True)
        >>> reader = ReaderClassifier("gru", epochs=1, random_state=0).fit(images, labels)
        >>> reader.image_shape_, reader.predict(images[:3]).shape
        ((8, 8, 1), (3,))
    """

    n_features_in_: int

    def __init__(
        self,
        model: str = "lstm",
        *,
        reading: str | None = None,
        hidden: int | None = None,
        layers: int | None = None,
        budget: int | None = None,
        epochs: int = defaults.EPOCHS,
        batch_size: int | None = None,
        learning_rate: float = defaults.LR,
        augment: dict[str, float] | None = None,
        validation_fraction: float = 0.1,
        image_shape: tuple[int, ...] | None = None,
        pixel_range: tuple[float, float] | None = None,
        random_state: int | np.random.RandomState | None = None,
        threads: int = 1,
        device: str = "cpu",
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.reading = reading
        self.hidden = hidden
        self.layers = layers
        self.budget = budget
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.augment = augment
        self.validation_fraction = validation_fraction
        self.image_shape = image_shape
        self.pixel_range = pixel_range
        self.random_state = random_state
        self.threads = threads
        self.device = device
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """Train anew on images and their labels, of any type that can be sorted."""
        table, given = pixels.flat(X)
        checked: Any = validate_data(self, table, y)
        X_ND, y_N = checked
        check_classification_targets(y_N)
        self.classes_, labels_N = np.unique(y_N, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(
                f"one class only, {self.classes_[0]!r}", where="y", expected="at least two classes",
                mend="add images of another class",
            )  # fmt: skip
        self.image_shape_ = pixels.shape_of(X_ND.shape[1], given, self.image_shape)
        self.pixel_range_ = pixels.range_of(X_ND, self.pixel_range)
        images_NHWC = pixels.to_bytes(X_ND, self.image_shape_, self.pixel_range_)
        self._files = fit_run(images_NHWC, labels_N, [_name(label) for label in self.classes_], self._plan())
        self.history_ = keeping.history_of(self._files)
        self._saved = keeping.model_of(self._files)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities `NK`, in the order of `classes_`."""
        check_is_fitted(self)
        table, given = pixels.flat(X)
        X_ND: Any = validate_data(self, table, reset=False)
        if given and pixels.shape_of(X_ND.shape[1], given, None) != self.image_shape_ and self.image_shape is None:
            height, width, channels = self.image_shape_
            raise InputError(
                f"images of shape {'×'.join(map(str, given))}",
                where="X",
                expected=f"{height}×{width}" + (f"×{channels}" if channels > 1 else "") + ", as in training",
            )
        pixels.warn_of_another_scale(X_ND, self.pixel_range_)
        images_NHWC = pixels.to_bytes(X_ND, self.image_shape_, self.pixel_range_)
        scale = self._saved.card.preprocessing
        batches = Batches(images_NHWC, np.zeros(len(images_NHWC)), scale["mean"], scale["std"])
        with borrowed(self.threads):
            network = self._saved.network.to(self.device)
            answers_NK = probabilities(network, batches if self.device == "cpu" else batches.to(self.device))
        answers_NK = answers_NK.astype(np.float64)
        return answers_NK / answers_NK.sum(axis=1, keepdims=True)  # float32 sums to 1 within 1e-7 only

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of the class probabilities `NK`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """The most likely label of each image, `N`."""
        answers_NK = self.predict_proba(X)
        return self.classes_[answers_NK.argmax(axis=1)]

    def save(self, folder: str | Path) -> Path:
        """Write a new folder that is a run of Linewise, for `linewise predict` as for `load`.

        Raises:
            ConfigError: the folder is there already.
        """
        check_is_fitted(self)
        parameters = self.get_params(deep=False)
        if not isinstance(self.random_state, int | np.integer):
            parameters["random_state"] = None
        kept = keeping.Kept(
            parameters={key: _plain(value) for key, value in parameters.items()},
            classes=self.classes_.tolist(),
            dtype=str(self.classes_.dtype),
            num_pixels=self.n_features_in_,
            image_shape=self.image_shape_,
            pixel_range=self.pixel_range_,
        )
        keeping.write(Path(folder), self._files, kept)
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """A fitted estimator from the folder that `save` wrote. Nothing is unpickled.

        Raises:
            SavedModelError: a file is missing or damaged.
        """
        files, kept = keeping.read(Path(folder))
        parameters: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in kept.parameters.items()
            if key in cls._get_param_names()
        }
        estimator = cls(**parameters)
        estimator.classes_ = kept.class_array()
        estimator.n_features_in_ = kept.num_pixels
        estimator.image_shape_, estimator.pixel_range_ = kept.image_shape, kept.pixel_range
        estimator._files = files
        estimator.history_ = keeping.history_of(files)
        estimator._saved = keeping.model_of(files)
        return estimator

    def _plan(self) -> Plan:
        head, *rest = str(self.model).split(":")
        reading = "" if self.reading is None else f"@{self.reading}"
        sizes = [f"{k}={v}" for k, v in (("hidden", self.hidden), ("layers", self.layers)) if v is not None]
        dials = {
            "epochs": self.epochs, "batch_size": self.batch_size, "lr": self.learning_rate,
            "augment": self.augment or {}, "threads": self.threads, "device": self.device,
            "match": "none" if self.budget is None else "params", "budget": self.budget,
        }  # fmt: skip
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(np.iinfo(np.int32).max)
        model = ":".join([head + reading, *rest, *sizes])
        return Plan(model, dials, self.validation_fraction, int(seed), bool(self.verbose))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_saved")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {key: value for key, value in state.items() if key != "_saved"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_files" in state:  # weights travel as safetensors and are checked as every saved model is
            self._saved = keeping.model_of(self._files)


def _name(label: Any) -> str:
    """A class's name in the run: whole floats as whole numbers."""
    return str(int(label)) if isinstance(label, float | np.floating) and float(label).is_integer() else str(label)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return list(value) if isinstance(value, tuple) else value

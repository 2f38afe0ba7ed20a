"""Images on which a file is compared with torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from linewise.foundations.errors import LinewiseError
from linewise.images import load
from linewise.images.preprocessing import Geometry, Preprocessing
from linewise.models.saved import Saved
from linewise.study.prediction import images_for
from linewise.study.stopping import trained_on

NUMBER, NOISE = 48, 16


@final
@dataclass(frozen=True)
class Pictures:
    """Prepared images, and what they are.

    Attributes:
        images_NHWC: uint8, `NUMBER` and more.
        text: such as `48 validation images of mnist and 16 of noise`.
        missing: why there are no images of the run's own data; empty where there are.
    """

    images_NHWC: np.ndarray
    text: str
    missing: str = ""


def pictures(run: Path, saved: Saved, data_dir: Path | None) -> Pictures:
    """Validation images of the run's data where they can be found, else handwritten digits that come with
    scikit-learn, brought to the network's shape; and noise. The test images stay sealed."""
    preprocessing = Preprocessing.model_validate(saved.card.preprocessing)
    try:
        data = trained_on(saved, None)
        part = images_for(run, saved, data, "validation", data_dir, "")
        chosen = np.linspace(0, len(part.labels_N) - 1, NUMBER).astype(int)  # all classes, where they are in order
        images_NHWC = np.ascontiguousarray(part.images_NHWC[chosen])
        return _with_noise(
            images_NHWC, f"{NUMBER} {part.split} images of {saved.card.trained.get('data', data)}", ""
        )
    except LinewiseError as error:
        missing = f"{error.where}: {error.found}" if error.where else error.found
    return _with_noise(_digits(preprocessing), f"{NUMBER} of scikit-learn's digits", missing)


def _digits(preprocessing: Preprocessing) -> np.ndarray:
    own = load("digits").validation.images_NHWC[:NUMBER]
    own = np.repeat(own, preprocessing.channels, axis=3)
    return Geometry.conform(preprocessing, own)


def _with_noise(images_NHWC: np.ndarray, text: str, missing: str) -> Pictures:
    noise = np.random.default_rng(0).integers(0, 256, (NOISE, *images_NHWC.shape[1:]), dtype=np.uint8)
    mixed_NHWC = np.concatenate([images_NHWC, noise])
    mixed_NHWC = mixed_NHWC[np.random.default_rng(1).permutation(len(mixed_NHWC))]
    return Pictures(mixed_NHWC, f"{text} and {NOISE} of noise", missing)

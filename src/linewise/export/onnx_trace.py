"""How an exported network read one image, as far as its file tells. No torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from linewise.export.onnx_model import OnnxModel
from linewise.export.opening import IMAGES, LOGITS, STEP_LOGITS
from linewise.foundations.errors import SavedModelError
from linewise.tracing.outside import look
from linewise.tracing.record import Trace, settled_at


def trace_onnx(model: OnnxModel, image_HWC: np.ndarray) -> Trace:
    """The answer, the rows it rests on, and the answers on the way where the file was exported with them.

    Args:
        image_HWC: uint8, prepared with the model's preprocessing.

    Raises:
        SavedModelError: the graph cannot be computed, or does not give what its metadata say.
    """
    found = look(model, image_HWC, occlusion=True)
    logits_1TK, hidden_1TU = _on_the_way(model, image_HWC)
    if model.card.form == "image":
        return found
    logits_TK = _checked(model, logits_1TK)
    hidden_TU = None if hidden_1TU is None else _checked(model, hidden_1TU)
    if logits_TK.shape[1] != len(model.class_names) or (
        hidden_TU is not None and len(hidden_TU) != len(logits_TK)
    ):
        raise _strange(model)
    shares_TK = np.exp(logits_TK - logits_TK.max(axis=1, keepdims=True))
    probabilities_TK = (shares_TK / shares_TK.sum(axis=1, keepdims=True)).astype(np.float32)
    probabilities_TK[-1] = found.probabilities_K  # sums of another order may round otherwise
    return replace(
        found,
        num_steps=len(logits_TK),
        step_HW=_first_seen(model, image_HWC),
        probabilities_TK=probabilities_TK,
        settled=settled_at(probabilities_TK),
        hidden_TU=hidden_TU,
    )


def _on_the_way(model: OnnxModel, image_HWC: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Logits after each step, `1TK`, and the states of the first reader, `1TU`; None where the file has none."""
    x_1CHW = model.preprocessing.normalise(image_HWC)
    if model.card.form == "steps":
        found = model.run({IMAGES: x_1CHW})
        return found.get(STEP_LOGITS), found.get("states", found.get("states_0"))
    if model.card.form == "image":
        return None, None
    state, logits = model.start(1), []
    for given in model.steps(x_1CHW):
        state = model.step(given, state)
        logits.append(state[LOGITS])
    return np.stack(logits, axis=1), None


def _checked(model: OnnxModel, values: np.ndarray | None) -> np.ndarray:
    """The numbers of the only image; a file may have been forged."""
    if values is None or values.ndim != 3 or not values.size or not np.isfinite(values).all():
        raise _strange(model)
    return values[0]


def _strange(model: OnnxModel) -> SavedModelError:
    return SavedModelError(
        "what it gives after each step is no answer and state of its network",
        where=str(model.path),
        expected=f"{len(model.class_names)} finite numbers for each step, and as many states as steps",
        mend="export it again",
    )


def _first_seen(model: OnnxModel, image_HWC: np.ndarray) -> np.ndarray | None:
    """The step, from 1, at which any reader sees each pixel first, `HW`; None where the file does not say."""
    if not model.card.readers:
        return None
    height, width = image_HWC.shape[:2]
    seen_P = np.full(height * width + 1, len(model.card.readers[0].order))
    for reader in model.card.readers:
        for step, pixels in enumerate(reader.order, start=1):
            np.minimum.at(seen_P, np.array(pixels), step)  # -1, for zeros, falls into the one too many
    return seen_P[:-1].reshape(height, width)

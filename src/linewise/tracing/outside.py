"""What can be seen of a network from outside, by asking for its answers alone. No torch."""

from __future__ import annotations

import numpy as np

from linewise.images.answering import Answerer
from linewise.tracing.occlusion import background, blanked, drops
from linewise.tracing.record import Trace


def look(answerer: Answerer, image_HWC: np.ndarray, *, occlusion: bool = False) -> Trace:
    """The answer on one image and, where asked for, the rows it rests on.

    Args:
        image_HWC: uint8, prepared with the answerer's preprocessing.
        occlusion: blank each row of pixels in turn, all in one batch.
    """
    images_NHWC = image_HWC[None]
    if occlusion:
        pixel_C = background(image_HWC, answerer.preprocessing.mean)
        images_NHWC = np.concatenate([images_NHWC, blanked(image_HWC, pixel_C)])
    probabilities_NK = answerer.probabilities(images_NHWC)
    probabilities_K = probabilities_NK[0]
    answer = probabilities_K.argmax()
    return Trace(
        label=answerer.label,
        class_names=answerer.class_names,
        image_HWC=image_HWC,
        probabilities_K=probabilities_K,
        occlusion_H=drops(probabilities_K[answer], probabilities_NK[1:, answer], len(image_HWC))
        if occlusion
        else None,
    )

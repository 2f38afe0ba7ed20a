"""A saved network watched while it reads one image."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from linewise.foundations.errors import ConfigError
from linewise.foundations.stopping import StopRule
from linewise.images.batches import Batches
from linewise.models.network import Network
from linewise.models.recurrent.bodies import Plain, Reader
from linewise.models.recurrent.early import stops
from linewise.models.recurrent.network import RecurrentNetwork
from linewise.models.saved import Saved
from linewise.tracing.gates import gates_of
from linewise.tracing.occlusion import background, blanked, drops
from linewise.tracing.record import Trace, settled_at


@torch.inference_mode()
def trace(
    saved: Saved,
    image_HWC: np.ndarray,
    *,
    gates: bool = False,
    occlusion: bool = False,
    rule: StopRule | None = None,
    label: str = "",
) -> Trace:
    """How a network reads one image; what it has none of is None (see `Trace`).

    Several times faster while `kernels.prepared(saved.network)` is held.

    Args:
        image_HWC: uint8, prepared as in training.
        gates: open up the last layer of the first reader.
        occlusion: blank each row of pixels in turn (64 bands of a taller image), all in one batch.
        rule: of `linewise calibrate` for these weights, for `Trace.stopped`.
        label: what the network is called; by default the name of its architecture.

    Raises:
        ConfigError: the image has another shape, or the rule is that of other weights.

    >>> from linewise import load_model                                    # doctest: +SKIP
    >>> trace(load_model("studies/digits/runs/lstm-0"), image_HWC).settled  # doctest: +SKIP
    """
    network, pre = saved.network, saved.card.preprocessing
    _check(saved, image_HWC, rule)
    images_NHWC = image_HWC[None]
    if occlusion:
        images_NHWC = np.concatenate([images_NHWC, blanked(image_HWC, background(image_HWC, pre["mean"]))])
    batches = Batches(images_NHWC, np.zeros(len(images_NHWC)), pre["mean"], pre["std"])
    x_NCHW = next(batches.in_order(len(images_NHWC)))[0]
    features = network.forward_features(x_NCHW)
    probabilities_NK = torch.softmax(network.forward_head(features), dim=1).numpy()
    probabilities_K = probabilities_NK[0]
    answer = probabilities_K.argmax()
    logits_TK = network.forward_steps(x_NCHW[:1])[0] if network.answers_each_step else None
    probabilities_TK = None
    if logits_TK is not None:
        probabilities_TK = torch.softmax(logits_TK, dim=1).numpy()
        probabilities_TK[-1] = probabilities_K  # sums of another order may round otherwise
    return Trace(
        label=label or network.config.name,
        class_names=saved.card.class_names,
        image_HWC=image_HWC,
        probabilities_K=probabilities_K,
        reading="+".join(reading.name for reading in network.readings),
        num_steps=network.readings[0].num_steps(*image_HWC.shape[:2]) if network.readings else None,
        step_HW=_first_seen(network),
        probabilities_TK=probabilities_TK,
        settled=None if probabilities_TK is None else settled_at(probabilities_TK),
        stopped=None if logits_TK is None or rule is None else int(stops(logits_TK[None], rule.doubt)[0]),
        hidden_TU=_hidden(network, features),
        gates=_gates(network, x_NCHW[:1]) if gates else None,
        occlusion_H=drops(probabilities_K[answer], probabilities_NK[1:, answer], len(image_HWC))
        if occlusion
        else None,
    )


def _check(saved: Saved, image_HWC: np.ndarray, rule: StopRule | None) -> None:
    config = saved.network.config
    wanted = (*config.img_size, config.in_chans)
    if image_HWC.shape != wanted or image_HWC.dtype != np.uint8:
        raise ConfigError(
            f"an image of shape {image_HWC.shape}, {image_HWC.dtype}",
            where="trace",
            expected=f"(height, width, channels) = {wanted}, uint8",
        )
    if rule is not None and rule.sha256 != saved.card.sha256:
        raise ConfigError(
            "the rule was found for other weights", where="stop.json", mend="run `linewise calibrate` again"
        )


def _first_seen(network: Network) -> np.ndarray | None:
    """By any reader, where they step together; else by the first."""
    height, width = network.config.img_size
    readings = network.readings if network.answers_each_step else network.readings[:1]
    seen = [reading.first_seen(height, width) for reading in readings]
    return np.minimum.reduce(seen) if seen else None


def _hidden(network: Network, features: Tensor | tuple[Tensor, ...]) -> np.ndarray | None:
    if not isinstance(network, RecurrentNetwork):
        return None
    h_NTU = features[0] if isinstance(features, tuple) else features
    return h_NTU[0].numpy().copy()


def _gates(network: Network, x_1CHW: Tensor) -> dict[str, np.ndarray] | None:
    if not isinstance(network, RecurrentNetwork):
        return None
    reader = next(iter(network.readers.children()))
    if not isinstance(reader, Reader) or not isinstance(reader.body, Plain):
        return None
    x_TBD = reader.reading.read(x_1CHW).transpose(0, 1)
    *before, last = reader.body.layers
    for layer in before:
        x_TBD, _ = layer(x_TBD)
    return gates_of(last, x_TBD[:, 0])

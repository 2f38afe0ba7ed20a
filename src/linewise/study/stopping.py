"""A saved reader that may stop early: its answers after each step, and `stop.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from linewise.foundations.errors import ConfigError, DataError
from linewise.foundations.stopping import Answered, StopRule
from linewise.images import Chosen
from linewise.images.batches import Batches
from linewise.models.recurrent.early import EarlyReader, doubts
from linewise.models.recurrent.network import RecurrentNetwork
from linewise.models.recurrent.stepping import Stepping
from linewise.models.saved import Saved
from linewise.reading.ink import common_background, leading_blanks
from linewise.training.along import batch_size, num_steps

FILE, PICTURES = "stop.json", ("stop.png", "stop.svg")


def reader_of(saved: Saved) -> RecurrentNetwork:
    """The network, if it reads step by step.

    Raises:
        ConfigError: it has no answer before its end.
    """
    network = saved.network
    if not isinstance(network, RecurrentNetwork) or not network.answers_each_step:
        raise network.no_steps()
    return network


def trained_on(saved: Saved, data: str | None) -> str:
    """The name of the images: as asked for, or as the network was trained on.

    Raises:
        ConfigError: the model does not say, or names none that can be found again, such as arrays.
    """
    options = saved.card.trained.get("options")
    source = options.get("source") if isinstance(options, dict) else None
    source = source or saved.card.trained.get("data")
    if data is None and (not isinstance(source, str) or source == "arrays"):
        raise ConfigError(
            "the model does not say on which images it was trained" if not source else "it was trained on arrays",
            where="--data",
            expected="images of the same classes",
            mend="name them, as for `linewise evaluate`",
        )
    return data or str(source)


def answers_along(saved: Saved, part: Chosen, pixel_C: Sequence[int] | None) -> Answered:
    """Answers and doubts after each step on some images.

    Args:
        pixel_C: of which blank steps consist, for `blank_N`.
    """
    network, images = reader_of(saved), batches_of(saved, part)
    answers_NT = torch.empty((len(images), num_steps(network)), dtype=torch.int32)
    found_NT = torch.empty(answers_NT.shape)
    at = 0
    with torch.inference_mode():
        for x_BCHW, _ in images.in_order(batch_size(network)):  # see `training.evaluation.gathered`
            logits_BTK = network.forward_steps(x_BCHW)
            span = slice(at, at + len(x_BCHW))
            answers_NT[span], found_NT[span] = logits_BTK.argmax(dim=2), doubts(logits_BTK)
            at = span.stop
    blank_N = np.zeros(len(images), dtype=np.int64)
    if pixel_C is not None:
        blank_N = leading_blanks(part.images_NHWC, network.readings, pixel_C)
    return Answered(answers_NT.numpy(), found_NT.numpy(), images.labels_N, blank_N)


def blank_pixel(saved: Saved, part: Chosen) -> list[int] | None:
    """The pixel of which blank steps consist; None where no image begins with one."""
    pixel_C = common_background(part.images_NHWC)
    if pixel_C is None or not leading_blanks(part.images_NHWC, reader_of(saved).readings, pixel_C).any():
        return None
    return pixel_C


def batches_of(saved: Saved, part: Chosen) -> Batches:
    pre = saved.card.preprocessing
    return Batches(part.images_NHWC, part.labels_N, pre["mean"], pre["std"])


def early_reader(saved: Saved, rule: StopRule) -> EarlyReader:
    """The network reading by its rule.

    Raises:
        ConfigError: the rule is that of other weights. DataError: it does not fit the network.
    """
    if rule.sha256 != saved.card.sha256:
        raise ConfigError(
            "the rule was found for other weights", where=FILE, mend="run `linewise calibrate` again"
        )
    network, blank_CHW = reader_of(saved), None
    if rule.blank is not None:
        if len(rule.blank) != network.config.in_chans:
            raise DataError(
                f"blank = {rule.blank}, and the network sees {network.config.in_chans} channels",
                where=FILE,
                mend="run `linewise calibrate` again",
            )
        height, width = network.config.img_size
        page_NHWC = np.broadcast_to(np.array(rule.blank, dtype=np.uint8), (1, height, width, len(rule.blank)))
        pre = saved.card.preprocessing
        blank_CHW = next(Batches(page_NHWC, np.zeros(1), pre["mean"], pre["std"]).in_order(1))[0][0]
    return EarlyReader(Stepping(network), rule.doubt, blank_CHW)


class Threshold(Protocol):
    """What `linewise.analysis.stopping` finds: see `StopRule` for the meaning."""

    @property
    def doubt(self) -> float | None: ...
    @property
    def num_lost(self) -> int: ...
    @property
    def num_won(self) -> int: ...
    @property
    def bound(self) -> float: ...
    @property
    def read(self) -> float: ...


def make_rule(
    saved: Saved,
    data: str,
    part: Chosen,
    pixel_C: list[int] | None,
    found: Threshold,
    budget: float,
    confidence: float,
) -> StopRule:
    """The rule as it is kept.

    Args:
        part: the images that vouch for it.
    """
    return StopRule(
        sha256=saved.card.sha256,
        data=data,
        budget=budget,
        confidence=confidence,
        num_images=len(part),
        num_steps=num_steps(saved.network),
        blank=pixel_C,
        doubt=found.doubt,
        num_lost=found.num_lost,
        num_won=found.num_won,
        bound=found.bound,
        read=found.read,
    )


def save_rule(run: Path, rule: StopRule) -> None:
    """`stop.json`, whole or not at all; the picture of an earlier rule goes."""
    for picture in PICTURES:
        (run / picture).unlink(missing_ok=True)
    rule.save(run / FILE)


def load_rule(run: Path) -> StopRule:
    """The rule of a run.

    Raises:
        DataError: there is none, or it is damaged.
    """
    path = run / FILE
    if not path.exists():
        raise DataError("no such file", where=str(path), mend=f"run `linewise calibrate {run}` first")
    return StopRule.load(path)

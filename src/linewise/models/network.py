"""What every network is: features, then a head; and how it is named, scaled and built."""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from linewise.foundations.errors import ConfigError, unknown_name
from linewise.foundations.records import Family, Record
from linewise.foundations.registry import Registry
from linewise.reading import Reading

MOST_LAYERS, MOST_UNITS, MOST_SIDE, MOST_PIXELS = 256, 1 << 24, 1 << 16, 1 << 26
Features = Tensor | tuple[Tensor, ...]
READS_STEP_BY_STEP = "a network that reads in one direction, such as lstm or gru"


class NetworkConfig(Record):
    """All it takes to build a network again."""

    name: str
    num_classes: int
    in_chans: int
    img_size: tuple[int, int]
    sizes: dict[str, Any]


class Network(nn.Module, ABC):
    """Base of all networks; the interface follows timm's.

    Images enter as float32 `x_BCHW`; logits leave as `BK`.

    Attributes:
        config: all it takes to build the network again.
        family: its family, where its name does not tell it.
        num_features: F, numbers that enter the classifier.
        head: the classifier.
        answers_each_step: its features after a step depend on what was read so far only, so that `forward_head`
            of a prefix is an answer, and `forward_steps` gives all of them.
        readings: the orders in which it reads, one per reader; none where it does not read step by step.
        counted_by_torch: its layers are not ours and have no closed forms; torch's counter alone is asked.
    """

    config: NetworkConfig
    family: Family | None = None
    num_features: int
    head: nn.Module
    answers_each_step: bool = False
    readings: tuple[Reading, ...] = ()
    counted_by_torch: bool = False

    @abstractmethod
    def forward_features(self, x_BCHW: Tensor) -> Features:
        """What the network has seen, before it is pooled and classified."""

    @abstractmethod
    def forward_head(self, features: Features, pre_logits: bool = False) -> Tensor:
        """Logits `BK` from features; with `pre_logits` the vector `BF` that enters the classifier."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x_BCHW))

    def forward_steps(self, x_BCHW: Tensor) -> Tensor:
        """The answer after each step, logits `BTK`: `forward_head` of every prefix at once.

        Raises:
            ConfigError: the network has no answer before its end (see `answers_each_step`).
        """
        raise self.no_steps()

    def no_steps(self) -> ConfigError:
        """Why there are no answers before the end."""
        return ConfigError(
            f"{self.config.name} does not read step by step, so it has no answer before its end",
            expected=READS_STEP_BY_STEP,
        )

    def reset_classifier(self, num_classes: int) -> None:
        """A fresh classifier for another number of classes; everything else is kept.

        Raises:
            ConfigError: not a number of classes.
        """
        check_number(self.config.name, "num_classes", num_classes)
        like = next(self.parameters())
        self.head = nn.Linear(self.num_features, num_classes, device=like.device, dtype=like.dtype)
        self.config = self.config.model_copy(update={"num_classes": num_classes})

    def observe_labels(self, labels_N: Tensor) -> None:
        """Called once with the training labels before training, for what is learned by counting."""


@dataclass(frozen=True)
class Entry:
    """A registered network.

    Attributes:
        family: `recurrent`, `convolutional` or `control`.
        build: a Network subclass (or a function that returns one); its keyword arguments beside `num_classes`,
            `in_chans` and `img_size` are the network's sizes.
        scale: sizes for a real-valued width and the sizes already given, used by the width solver; None where
            there is no width.
        fine: the size that the solver may move by itself, up to a tenth (a quarter where nothing else helps), to
            come nearer to a budget.
        fixed: keyword arguments that belong to the name, such as the cell; not to be set by users.
        defaults: sizes that start at another value than the constructor's.
        summary: one line for tables and help.
    """

    family: Family
    build: Callable[..., Network]
    summary: str
    scale: Callable[[float, Mapping[str, Any]], dict[str, int]] | None = None
    fine: str | None = None
    fixed: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)

    def sizes(self) -> dict[str, Any]:
        """Names and defaults of the sizes a user may set."""
        taken = {"self", "num_classes", "in_chans", "img_size", *self.fixed}
        parameters = inspect.signature(self.build).parameters.values()
        return {p.name: self.defaults.get(p.name, p.default) for p in parameters if p.name not in taken}


NETWORKS: Registry[Entry] = Registry("model")


def check_sizes(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Defaults completed by what was given.

    Raises:
        ConfigError: an unknown size, or a value of the wrong type or range.
    """
    known, checked = NETWORKS[name].sizes(), dict(given)
    for key, value in given.items():
        if key not in known:
            raise unknown_name(f"size of {name}", key, known)
        wanted = type(known[key])
        kinds = (int, float) if wanted is float else wanted
        if not isinstance(value, kinds) or (isinstance(value, bool) and wanted is not bool):
            raise ConfigError(f"{key} = {value!r}", where=name, expected=f"a value like {known[key]!r}")
        if wanted is float:
            checked[key] = _finite(name, key, value)
        most = MOST_LAYERS if key in ("layers", "blocks") else MOST_UNITS
        least = 0 if known[key] == 0 else 1
        if wanted is int and not least <= value <= most:
            raise ConfigError(
                f"{key} = {value:,}", where=name, expected=f"a whole number from {least} to {most:,}"
            )
        if key in ("dropout", "drop_path") and not 0 <= value < 1:
            raise ConfigError(f"{key} = {value}", where=name, expected="a fraction from 0 to below 1")
    return {**known, **checked}


def _finite(name: str, key: str, value: float) -> float:
    try:
        number = float(value)
    except OverflowError:  # an integer of hundreds of digits
        number = math.inf
    if not math.isfinite(number):
        raise ConfigError(f"{key} = {number}", where=name, expected="a finite number")
    return number


def check_shape(name: str, num_classes: Any, in_chans: Any, img_size: Any) -> None:
    """Refuse what is not a number of classes, of channels, or a height and a width.

    Raises:
        ConfigError: with what was found.
    """
    if not (isinstance(img_size, tuple | list) and len(img_size) == 2):
        raise ConfigError(f"img_size = {img_size!r}", where=name, expected="(height, width) in pixels")
    numbers = {"num_classes": num_classes, "in_chans": in_chans, "height": img_size[0], "width": img_size[1]}
    for key, value in numbers.items():
        check_number(name, key, value)
    if img_size[0] * img_size[1] > MOST_PIXELS:
        raise ConfigError(
            f"img_size = {img_size[0]:,}×{img_size[1]:,}", where=name, expected=f"at most {MOST_PIXELS:,} pixels"
        )


def check_number(name: str, key: str, value: Any) -> None:
    """Refuse what is not a number of classes, channels or pixels of a side.

    Raises:
        ConfigError: with what was found.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_SIDE:
        raise ConfigError(f"{key} = {value!r}", where=name, expected=f"a whole number from 1 to {MOST_SIDE:,}")

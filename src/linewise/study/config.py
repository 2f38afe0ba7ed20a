"""How what a person asks of a study becomes a specification."""

from __future__ import annotations

from datetime import UTC, datetime

import torch

from linewise.foundations.errors import ConfigError
from linewise.foundations.records import (
    DataRecord,
    ModelSpec,
    Recipe,
    StudySpec,
    TrainingDials,
    TuningPlan,
)
from linewise.foundations.version import version
from linewise.models import parse_model, specify
from linewise.models.network import NETWORKS, check_sizes
from linewise.models.recurrent.readouts import stands_for
from linewise.reading import parse as parse_reading
from linewise.study.along import ghost, unmoved_by_read_along
from linewise.study.dials import CompareConfig, make_config

__all__ = ["CompareConfig", "make_config", "make_recipe", "make_spec"]

SMALL_SIDE, SMALL_BUDGET, BUDGET = 16, 20_000, 80_000
STEPS_PER_EPOCH = 300

MOST_LETTERS = 100
"""Of a model as typed: its label is a folder name."""


def make_spec(config: CompareConfig, data: DataRecord, command: str) -> StudySpec:
    """The specification of a study: widths solved, batch size and budget chosen.

    Raises:
        ConfigError: an unknown or doubled model, a budget too small, a batch larger than the data, a dial
            without effect.
    """
    height, width, channels = data.shape
    if config.match == "none" and config.budget is not None:
        raise ConfigError(
            f"a budget of {config.budget:,}, and nothing to be matched",
            where="--budget",
            expected="no budget with --match none",
        )
    budget = config.budget or (SMALL_BUDGET if min(height, width) < SMALL_SIDE else BUDGET)
    budget = None if config.match == "none" else budget
    models: list[ModelSpec] = []
    for text in config.models:
        name, sizes = parse_model(text)
        if len(text) > MOST_LETTERS:
            raise ConfigError(
                f"a model of {len(text)} letters, {text[:40]!r}…",
                expected=f"at most {MOST_LETTERS}: it names folders",
            )
        models.append(
            specify(
                name,
                sizes,
                num_classes=len(data.class_names),
                in_chans=channels,
                img_size=(height, width),
                match=config.match,
                budget=budget,
                label=text.strip().replace(":", ","),
            )
        )
    _check_distinct(models)
    recipe = make_recipe(config, sum(data.counts["train"].values()))
    if recipe.batch_size == 1:
        _check_single(models, data)
    spec = StudySpec(
        linewise_version=version(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        data=data,
        models=models,
        recipe=recipe,
        seeds=list(range(config.seeds)),
        match=config.match,
        budget=budget,
        threads=config.threads,
        device=config.device,
        tuning=_make_plan(config, data, recipe),
    )
    unmoved_by_read_along(spec)
    return spec


def _make_plan(config: CompareConfig, data: DataRecord, recipe: Recipe) -> TuningPlan | None:
    """The tuning plan; its images in reach, and no dial without effect."""
    if config.tune is None:
        for option, value in (("--tune-epochs", config.tune_epochs), ("--tune-images", config.tune_images)):
            if value is not None:
                raise ConfigError(f"{value:,}, and nothing is tuned", where=option, mend="give --tune, such as 20")
        return None
    images, num_train = config.tune_images, sum(data.counts["train"].values())
    least = max(recipe.batch_size, len(data.class_names))
    if images is not None and not least <= images <= num_train:
        raise ConfigError(
            f"{images:,} images for each trial",
            where="--tune-images",
            expected=f"from {least:,}, one batch, to {num_train:,}, all training images",
        )
    return TuningPlan(
        trials=config.tune,
        epochs=config.tune_epochs or recipe.epochs,
        images=None if images == num_train else images,
    )


def _check_single(models: list[ModelSpec], data: DataRecord) -> None:
    """Refuse networks that cannot be trained on single images: batch norm over a map of one pixel."""
    height, width, channels = data.shape
    for model in models:
        try:
            ghost(model, data).train()(torch.zeros(1, channels, height, width, device="meta"))
        except ValueError:
            raise ConfigError(
                f"batches of one image, and {model.label} normalises over the batch",
                where="--batch-size",
                expected="at least 2 for images of this size",
            ) from None


def _check_distinct(models: list[ModelSpec]) -> None:
    """Refuse the same network twice, under one label or two."""
    seen: dict[str, str] = {}
    for model in models:
        key = _identity(model)
        if key in seen:
            both = model.label if seen[key] == model.label else f"{seen[key]} and {model.label}, the same network"
            raise ConfigError(f"named twice: {both}", where="--models", expected="each network once")
        seen[key] = model.label


def _identity(model: ModelSpec) -> str:
    """The same text for sizes that say the same: readings by their names, `auto` as what it stands for, and what
    0 stands for by the parameters it leads to."""
    sizes = check_sizes(model.name, model.sizes)
    if isinstance(reading := sizes.get("reading"), str):
        sizes["reading"] = "+".join(r.name for r in parse_reading(reading))
    if sizes.get("readout") == "auto":
        sizes["readout"] = stands_for(NETWORKS[model.name].fixed["bidirectional"])
    chosen_by_network = [
        key for key, default in NETWORKS[model.name].sizes().items() if type(default) is int and not default
    ]
    told = sorted((key, value) for key, value in sizes.items() if key not in chosen_by_network)
    return f"{model.name} {told} {model.cost.parameters} {model.cost.macs}"


def make_recipe(config: CompareConfig, num_train: int) -> Recipe:
    """The training recipe, batch size chosen.

    Raises:
        ConfigError: the batch size is larger than the number of training images.
    """
    batch_size = config.batch_size or choose_batch_size(num_train)
    if batch_size > num_train:
        raise ConfigError(
            f"a batch of {batch_size:,} is larger than the {num_train:,} training images", where="--batch-size"
        )
    return Recipe(batch_size=batch_size, **{dial: getattr(config, dial) for dial in TrainingDials.model_fields})


def choose_batch_size(num_train: int) -> int:
    """The power of two from 16 to 128 that leaves at least 300 steps per epoch, as far as there are images.

    >>> choose_batch_size(40_000), choose_batch_size(1_150), choose_batch_size(5)
    (128, 16, 5)
    """
    size = 128
    while size > 16 and num_train / size < STEPS_PER_EPOCH:
        size //= 2
    return min(size, num_train)

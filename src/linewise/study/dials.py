"""What a person may ask of a study. Loads no torch, so that workers can begin to load theirs."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationError

from linewise.foundations.defaults import MODELS, SEEDS
from linewise.foundations.errors import ConfigError
from linewise.foundations.records import Device, Match, TrainingDials, describe


class CompareConfig(TrainingDials):
    """The dials of `linewise compare`; those of training are in `TrainingDials`.

    Attributes:
        models: networks as typed, `NAME[@READING][:SIZE=VALUE…]`.
        match: what is made equal: `params`, `macs` or `none`.
        budget: the amount; None chooses 80,000, or 20,000 for images of less than 16×16 pixels.
        seeds: runs per network; the seeds are 0, 1, 2, …
        batch_size: images per step; None chooses the power of two from 16 to 128 that leaves at least 300
            steps per epoch.
        threads: processor threads per run.
        device: where networks are trained and timed, `cpu` or `cuda`.
        tune: trials per network before the final runs, which then have each network's best settings; None trains
            all networks with the same recipe.
        tune_epochs: of each trial; None takes those of the final runs.
        tune_images: training images used in each trial; None takes all.
    """

    models: list[str] = Field(list(MODELS), min_length=1)
    match: Match = "params"
    budget: int | None = Field(None, ge=1)
    seeds: int = Field(SEEDS, ge=1, le=10_000)
    batch_size: int | None = Field(None, ge=1)
    threads: int = Field(1, ge=1, le=1024)
    device: Device = "cpu"
    tune: int | None = Field(None, ge=1, le=100_000)
    tune_epochs: int | None = Field(None, ge=1, le=100_000)
    tune_images: int | None = Field(None, ge=1)


def make_config(**dials: Any) -> CompareConfig:
    """A checked configuration.

    Raises:
        ConfigError: naming the first wrong dial.
    """
    try:
        config = CompareConfig(**dials)
    except ValidationError as error:
        raise describe(error, where="configuration", kind=ConfigError) from None
    if config.augment:
        from linewise.images.augment import check_strengths  # loads torch

        check_strengths(config.augment)
    if config.device != "cpu":
        from linewise.study.device import check_device

        check_device(config.device)
    return config

"""Options that several verbs share, and their parsing."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from linewise.foundations import defaults
from linewise.foundations.errors import ConfigError

IMAGES_PANEL, TRAINING_PANEL, RUNNING_PANEL = "Images", "Training", "Running"
TUNING_PANEL = "Tuning"

Data = Annotated[
    str,
    typer.Argument(
        help="A name (digits, mnist, …), an IDX folder, a CSV or npz file, or a folder of class folders."
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Where named data sets lie.", envvar="LINEWISE_DATA", rich_help_panel=IMAGES_PANEL),
]
Size = Annotated[
    str | None,
    typer.Option(help="Pixels: 28 or HEIGHTxWIDTH. Default: the images' own.", rich_help_panel=IMAGES_PANEL),
]
Fit = Annotated[str, typer.Option(help="letterbox, crop or stretch to --size.", rich_help_panel=IMAGES_PANEL)]
Channels = Annotated[str, typer.Option(help="auto, grey or colour.", rich_help_panel=IMAGES_PANEL)]
Images = Annotated[
    int | None, typer.Option(help="How many images to train on (balanced).", rich_help_panel=IMAGES_PANEL)
]
Validation = Annotated[
    str | None, typer.Option(help="Images for validation: a number or a fraction.", rich_help_panel=IMAGES_PANEL)
]
Test = Annotated[
    str | None,
    typer.Option(help="Images for the test, where the data have no test split.", rich_help_panel=IMAGES_PANEL),
]
SplitSeed = Annotated[int, typer.Option(help="Decides the splits.", rich_help_panel=IMAGES_PANEL)]
AllowLeaks = Annotated[
    bool, typer.Option(help="Go on although the same image is in two splits.", rich_help_panel=IMAGES_PANEL)
]
SkipUnreadable = Annotated[
    bool, typer.Option(help="Leave out images that cannot be read.", rich_help_panel=IMAGES_PANEL)
]

Epochs = Annotated[int, typer.Option(help="Passes over the training images.", rich_help_panel=TRAINING_PANEL)]
BatchSize = Annotated[
    int | None,
    typer.Option(
        help="Images per step. Default: 16 to 128, by the number of images.", rich_help_panel=TRAINING_PANEL
    ),
]
LearningRate = Annotated[float, typer.Option("--lr", help="Peak learning rate.", rich_help_panel=TRAINING_PANEL)]
Rise = Annotated[
    float,
    typer.Option(help="Share of the steps in which the learning rate rises.", rich_help_panel=TRAINING_PANEL),
]
Fall = Annotated[
    str, typer.Option(help="Shape of its rise and fall: cosine or linear.", rich_help_panel=TRAINING_PANEL)
]
Betas = Annotated[
    str,
    typer.Option(
        help="What AdamW keeps at each step of its means of the gradient and of its square.",
        rich_help_panel=TRAINING_PANEL,
    ),
]
DEFAULT_BETAS = ",".join(map(str, defaults.BETAS))
WeightDecay = Annotated[float, typer.Option(help="Of AdamW.", rich_help_panel=TRAINING_PANEL)]
Clip = Annotated[float, typer.Option(help="Largest gradient norm; 0: none.", rich_help_panel=TRAINING_PANEL)]
LabelSmoothing = Annotated[float, typer.Option(help="From 0 to below 1.", rich_help_panel=TRAINING_PANEL)]
Augment = Annotated[
    str,
    typer.Option(help="Such as shift=2,rotate=10,scale=0.1,flip=0.5,erase=0.3.", rich_help_panel=TRAINING_PANEL),
]
ReadAlong = Annotated[
    bool,
    typer.Option(
        "--read-along",
        help="Learn to answer after each step too; for networks that read in one direction.",
        rich_help_panel=TRAINING_PANEL,
    ),
]
Threads = Annotated[int, typer.Option(help="Processor threads per run.", rich_help_panel=RUNNING_PANEL)]
Device = Annotated[str, typer.Option(help="cpu or cuda.", rich_help_panel=RUNNING_PANEL)]
CHECKPOINT_EVERY_S = 30.0
CheckpointEvery = Annotated[
    float,
    typer.Option(min=0, help="Seconds from one checkpoint of a run to the next.", rich_help_panel=RUNNING_PANEL),
]
HANG_LIMIT_S = 300.0
HangLimit = Annotated[
    float,
    typer.Option(
        min=0,
        help="Seconds without a sign of life after which a worker process is stopped and its run tried again; "
        "0: never.",
        rich_help_panel=RUNNING_PANEL,
    ),
]
Log = Annotated[
    str | None,
    typer.Option(
        help="Tell an experiment tracker too: tensorboard:FOLDER or mlflow:URI.", rich_help_panel=RUNNING_PANEL
    ),
]
TuneEpochs = Annotated[
    int | None,
    typer.Option(
        min=1, help="Epochs of each trial. Default: those of the final runs.", rich_help_panel=TUNING_PANEL
    ),
]
TuneImages = Annotated[
    int | None,
    typer.Option(min=1, help="Training images in each trial. Default: all.", rich_help_panel=TUNING_PANEL),
]
Storage = Annotated[
    str | None,
    typer.Option(
        help="A database for the trials, shared by several machines: postgresql://USER:PASSWORD@HOST/DATABASE.",
        envvar="LINEWISE_STORAGE",
        show_envvar=True,
        rich_help_panel=TUNING_PANEL,
    ),
]

BudgetMatch = Annotated[
    str | None, typer.Option(help="What --budget counts: params or macs. Default: params.", show_default=False)
]


def budget_and_match(budget: str | None, match: str | None) -> tuple[int | None, str]:
    """The amount, and what it counts; None and `none` without a budget.

    Raises:
        ConfigError: an unknown match, or one that would have no effect.
    """
    from linewise.foundations.amounts import parse_amount
    from linewise.foundations.errors import unknown_name

    if match is not None and match not in ("params", "macs"):
        raise unknown_name("match", match, ["params", "macs"], where="--match")
    if budget is None:
        if match is not None:
            raise ConfigError(f"{match}, and no budget to count", where="--match", mend="give a --budget")
        return None, "none"
    return parse_amount(budget, "--budget"), match or "params"


def split_models(text: str) -> list[str]:
    """Networks separated by commas, typed as `lstm:layers=2` or as reports name them, `lstm,layers=2`.

    >>> split_models("gru@rows3,layers=2, cnn")
    ['gru@rows3:layers=2', 'cnn']
    """
    models: list[str] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        if models and "=" in part.partition(":")[0]:
            models[-1] += f":{part}"
        else:
            models.append(part)
    return models


def parse_betas(text: str) -> tuple[float, float]:
    """`0.8,0.9` as two numbers.

    Raises:
        ConfigError: not two numbers.
    """
    try:
        gradient, square = map(float, text.split(","))
    except ValueError:
        raise ConfigError(repr(text), where="--betas", expected="two numbers, such as 0.9,0.99") from None
    return gradient, square


def parse_augment(text: str) -> dict[str, float]:
    """`shift=2,rotate=10` as a dictionary.

    Raises:
        ConfigError: a part that is not NAME=NUMBER.
    """
    strengths: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        try:
            strengths[name] = float(value)
        except ValueError:
            raise ConfigError(f"{part!r}", where="--augment", expected="NAME=STRENGTH, such as shift=2") from None
    return strengths


def image_options(size: str | None, fit: str, channels: str, skip_unreadable: bool = False) -> dict[str, Any]:
    """Keyword arguments of `ImageOptions`."""
    from linewise.images.options import parse_size

    return {
        "size": parse_size(size),
        "fit": fit,
        "channels": channels,
        "skip_unreadable": skip_unreadable,
    }


def split_options(
    images: int | None, validation: str | None, test: str | None, split_seed: int, allow_leaks: bool
) -> dict[str, Any]:
    """Keyword arguments of `SplitOptions`."""
    from linewise.images.options import parse_share

    return {
        "images": images,
        "validation": parse_share(validation, where="--validation"),
        "test": parse_share(test, where="--test"),
        "split_seed": split_seed,
        "allow_leaks": allow_leaks,
    }


def typed_command() -> str:
    """What the user typed, to be noted in the study; passwords in addresses are not."""
    from linewise.foundations.passwords import hide_password

    return shlex.join(["linewise", *map(hide_password, sys.argv[1:])])


def was_typed(context: typer.Context, name: str) -> bool:
    """Whether an option was given on the command line, by its name in the function."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"

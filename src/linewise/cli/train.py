"""`linewise train`: one network, without opening the test set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewise.cli import options as o
from linewise.foundations import defaults

if TYPE_CHECKING:
    from linewise.foundations.folder import Run

WITH_RESUME = ("resume", "data_dir", "threads", "device", "checkpoint_every")


def train(
    context: typer.Context,
    data: o.Data = "digits",
    model: Annotated[str, typer.Option(help="NAME[@READING][:SIZE=VALUE…]; see `linewise models`.")] = "lstm",
    budget: Annotated[
        str | None, typer.Option(help="Solve the width to this many parameters (or MACs), such as 80k.")
    ] = None,
    match: o.BudgetMatch = None,
    seed: Annotated[int, typer.Option(help="Decides weights, order and augmentation.")] = 0,
    out: Annotated[Path | None, typer.Option(help="The run's folder. Default: runs/DATA-MODEL-SEED.")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with the run in this folder, which was stopped.")
    ] = None,
    epochs: o.Epochs = defaults.EPOCHS,
    batch_size: o.BatchSize = None,
    lr: o.LearningRate = defaults.LR,
    rise: o.Rise = defaults.RISE,
    fall: o.Fall = defaults.FALL,
    betas: o.Betas = o.DEFAULT_BETAS,
    weight_decay: o.WeightDecay = defaults.WEIGHT_DECAY,
    clip: o.Clip = defaults.CLIP,
    label_smoothing: o.LabelSmoothing = defaults.LABEL_SMOOTHING,
    augment: o.Augment = "",
    read_along: o.ReadAlong = False,
    images: o.Images = None,
    validation: o.Validation = None,
    test: o.Test = None,
    split_seed: o.SplitSeed = 0,
    allow_leaks: o.AllowLeaks = False,
    size: o.Size = None,
    fit: o.Fit = "letterbox",
    channels: o.Channels = "auto",
    skip_unreadable: o.SkipUnreadable = False,
    data_dir: o.DataDir = None,
    threads: o.Threads = 1,
    device: o.Device = "cpu",
    checkpoint_every: o.CheckpointEvery = o.CHECKPOINT_EVERY_S,
    log: o.Log = None,
) -> None:
    """Train one network and save it; the test set stays sealed."""
    if resume is not None:
        _resume(context, resume, data_dir, checkpoint_every)
        return
    from linewise.adapters import open_tracker, telling
    from linewise.cli.display import Display
    from linewise.images import ImageOptions, SplitOptions, load
    from linewise.study.config import make_config
    from linewise.study.single import run_path, train_one

    amount, counted = o.budget_and_match(budget, match)
    config = make_config(
        models=[model],
        match=counted,
        budget=amount,
        seeds=1,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        rise=rise,
        fall=fall,
        betas=o.parse_betas(betas),
        weight_decay=weight_decay,
        clip=clip,
        label_smoothing=label_smoothing,
        augment=o.parse_augment(augment),
        read_along=defaults.READ_ALONG if read_along else 0.0,
        threads=threads,
        device=device,
    )
    if log is not None:
        open_tracker(log)
    image_set = load(
        data,
        images=ImageOptions(**o.image_options(size, fit, channels, skip_unreadable)),
        splits=SplitOptions(**o.split_options(images, validation, test, split_seed, allow_leaks)),
        data_dir=data_dir,
        progress=True,
    )
    with Display() as display, telling_how_to_resume():
        for warning in image_set.warnings:
            display.events.warned(warning)
        path = out or run_path(image_set.name, config.models[0], seed)
        with telling(log, path, display.events) as events:
            run = train_one(
                image_set, config, seed, path, command=o.typed_command(), events=events,
                checkpoint_s=checkpoint_every,
            )  # fmt: skip
    tell(run)


def _resume(context: typer.Context, run: Path, data_dir: Path | None, checkpoint_every: float) -> None:
    """Go on with a run; what decides it is not to be typed again."""
    from linewise.cli.display import Display
    from linewise.foundations.errors import ConfigError
    from linewise.study.single import resume

    typed = {name for name in context.params if o.was_typed(context, name)}
    if others := sorted(typed - set(WITH_RESUME)):
        raise ConfigError(
            f"{', '.join(others)} together with --resume",
            where="--resume",
            expected="nothing but --data-dir, --threads, --device and --checkpoint-every: the run knows the rest",
        )
    given = {name: context.params[name] for name in ("threads", "device") if name in typed}
    with Display() as display, telling_how_to_resume():
        done = resume(run, data_dir=data_dir, events=display.events, checkpoint_s=checkpoint_every, **given)
    tell(done)


@contextmanager
def telling_how_to_resume() -> Iterator[None]:
    """Say after an interrupt that the run can go on."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        typer.echo("interrupted. `linewise train --resume RUN`, with the run's folder, goes on.", err=True)
        raise


def tell(run: Run) -> None:
    """What came of a run."""
    from linewise.cli.tables import echo

    record = run.record
    if record.status == "diverged":
        echo(f"diverged: {record.reason}; the record is in {run.path}")
        raise typer.Exit(1)
    echo(
        f"{record.model.label}: {record.model.cost.parameters:,} parameters, train {record.train_accuracy:.2%}, "
        f"validation {record.validation_accuracy:.2%} (n = {num_validation(run):,})"
    )
    echo(f"saved in {run.path}")


def num_validation(run: Run) -> int:
    answers = run.predictions("validation")
    assert answers is not None
    return len(answers.labels_N)

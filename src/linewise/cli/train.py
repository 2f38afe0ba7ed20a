"""`linewise train`: one network, without opening the test set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linewise.cli import options as o
from linewise.foundations import defaults

if TYPE_CHECKING:
    from linewise.foundations.folder import Run
    from linewise.study.dials import CompareConfig
    from linewise.training.groups import Group

WITH_RESUME = ("resume", "data_dir", "threads", "device", "checkpoint_every", "hang_limit", "log")


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
    hang_limit: o.HangLimit = o.HANG_LIMIT_S,
    log: o.Log = None,
) -> None:
    """Train one network and save it; the test set stays sealed."""
    if resume is not None:
        with telling_how_to_resume(resume):
            _resume(context, resume, data_dir, checkpoint_every, hang_limit, log)
        return
    from linewise.adapters import open_tracker
    from linewise.cli.ranks import with_others
    from linewise.study.config import make_config

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
    with with_others(o.was_typed(context, "hang_limit")) as group:
        options = (
            o.image_options(size, fit, channels, skip_unreadable),
            o.split_options(images, validation, test, split_seed, allow_leaks),
        )
        _train(data, *options, data_dir, config, seed, out, checkpoint_every, hang_limit, log, group)


def _train(
    data: str,
    images: dict[str, Any],
    splits: dict[str, Any],
    data_dir: Path | None,
    config: CompareConfig,
    seed: int,
    out: Path | None,
    checkpoint_every: float,
    hang_limit: float,
    log: str | None,
    group: Group | None,
) -> None:
    """Train one network, in a worker process or, where torchrun started this one, in a group of them."""
    from linewise.adapters import telling
    from linewise.cli.display import Display
    from linewise.images import ImageOptions, SplitOptions, load
    from linewise.study.single import run_path, train_one

    with group.in_turn() if group else nullcontext():
        image_set = load(
            data, images=ImageOptions(**images), splits=SplitOptions(**splits), data_dir=data_dir, progress=True
        )
    path = out or run_path(image_set.name, config.models[0], seed)
    with telling_how_to_resume(path), Display() as display:
        for warning in image_set.warnings:
            display.events.warned(warning)
        with telling(log if first(group) else None, path, display.events) as events:
            how: dict[str, Any] = {
                "command": o.typed_command(), "events": events, "checkpoint_s": checkpoint_every
            }  # fmt: skip
            if group is None:
                run = train_one(image_set, config, seed, path, hang_s=hang_limit, **how)
            else:
                from linewise.study.ranked import train_ranked

                run = train_ranked(image_set, config, seed, path, group, **how)
    if run:
        tell(run)


def first(group: Group | None) -> bool:
    """Whether this process speaks for the run."""
    return group is None or group.is_first


def _resume(
    context: typer.Context,
    run: Path,
    data_dir: Path | None,
    checkpoint_every: float,
    hang_limit: float,
    log: str | None,
) -> None:
    """Go on with a run; what decides it is not to be typed again."""
    from linewise.adapters import open_tracker, telling
    from linewise.cli.display import Display
    from linewise.cli.ranks import with_others
    from linewise.foundations.errors import ConfigError
    from linewise.study.single import resume

    typed = {name for name in context.params if o.was_typed(context, name)}
    shown = {p.name: max(p.opts, key=len) for p in context.command.params}
    if others := sorted(shown[name] for name in typed - set(WITH_RESUME)):
        raise ConfigError(
            f"{', '.join(others)} together with --resume",
            where="--resume",
            expected="nothing but --data-dir, --threads, --device, --checkpoint-every, --hang-limit and --log: "
            "the run knows the rest",
        )
    given = {name: context.params[name] for name in ("threads", "device") if name in typed}
    if log is not None:
        open_tracker(log)
    with with_others(o.was_typed(context, "hang_limit")) as group:
        log = log if first(group) else None
        with Display() as display, telling(log, run, display.events) as events:
            given |= {"data_dir": data_dir, "events": events, "checkpoint_s": checkpoint_every}
            if group is None:
                done = resume(run, hang_s=hang_limit, **given)
            else:
                from linewise.study.ranked import resume_ranked

                done = resume_ranked(run, group, **given)
        if done:
            tell(done)


@contextmanager
def telling_how_to_resume(run: Path | None) -> Iterator[None]:
    """Say after an interrupt whether and how a run can go on; None where its folder is not known here.

    Outside of the display, whose table would be drawn over it.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if run is None or (run / "checkpoint" / "plan.json").is_file():
            typer.echo(f"interrupted; it goes on with: linewise train --resume {run or 'RUN'}", err=True)
        elif not (run / "run.json").is_file():
            typer.echo("interrupted before it began, or its folder was moved; nothing was written here", err=True)
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

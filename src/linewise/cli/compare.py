"""`linewise compare`: the main job."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from linewise.cli import options as o
from linewise.cli.options import RUNNING_PANEL
from linewise.foundations import defaults


def compare(
    context: typer.Context,
    data: o.Data = "digits",
    models: Annotated[
        str, typer.Option(help="Networks, NAME[@READING][:SIZE=VALUE…], separated by commas.")
    ] = ",".join(defaults.MODELS),
    match: Annotated[str, typer.Option(help="What is made equal: params, macs or none.")] = "params",
    budget: Annotated[
        str | None, typer.Option(help="How much of it, such as 80k. Default: 80k, 20k under 16×16 pixels.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Runs per network.")] = defaults.SEEDS,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The study's folder; one that is there is gone on with. Default: a new one in studies/."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the newest study of these data.")] = False,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file with these options; what is typed here goes before it.")
    ] = None,
    epochs: o.Epochs = defaults.EPOCHS,
    batch_size: o.BatchSize = None,
    lr: o.LearningRate = defaults.LR,
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
    jobs: Annotated[
        str, typer.Option(help="Runs side by side; auto: as many as cores.", rich_help_panel=RUNNING_PANEL)
    ] = "auto",
    threads: o.Threads = 1,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Make the report.", rich_help_panel=RUNNING_PANEL)
    ] = True,
) -> None:
    """Train networks at matched cost over several seeds, and report which serves these images better."""
    from linewise.cli.configuration import merge

    dials = merge({k: v for k, v in locals().items() if k not in ("context", "merge")}, config, context)
    _compare(dials)


def _compare(d: dict[str, Any]) -> None:
    from linewise import api
    from linewise.cli.display import Display
    from linewise.cli.tables import print_study
    from linewise.foundations.amounts import parse_amount
    from linewise.foundations.errors import ConfigError

    out: Path | None = Path(d["out"]) if d["out"] else None
    if d["resume"] and out is None:
        out = api.latest_folder(Path(d["data"]).name)
        if out is None:
            raise ConfigError(
                f"no study of {d['data']} under {api.STUDIES}/ to go on with",
                where="--resume",
                mend="name its folder with --out, or leave --resume out",
            )
    out = out or api.fresh_folder(Path(d["data"]).name)
    with Display() as display, _telling_how_to_go_on(out):
        study = api.compare(
            d["data"],
            out=out,
            jobs=_parse_jobs(d["jobs"]),
            data_dir=d["data_dir"],
            image_options=o.image_options(d["size"], d["fit"], d["channels"], d["skip_unreadable"]),
            split_options=o.split_options(
                d["images"], d["validation"], d["test"], d["split_seed"], d["allow_leaks"]
            ),
            report=d["report"],
            command=o.typed_command(),
            events=display.events,
            models=o.split_models(d["models"]),
            match=d["match"],
            budget=parse_amount(d["budget"], "--budget") if d["budget"] else None,
            augment=o.parse_augment(d["augment"]),
            read_along=defaults.READ_ALONG if d["read_along"] else 0.0,
            **{k: d[k] for k in ("seeds", "epochs", "batch_size", "lr", "weight_decay", "clip")},
            **{k: d[k] for k in ("label_smoothing", "threads")},
        )
    print_study(study, with_report=d["report"])
    failed = [run.path.name for run in study.folder.runs() if run.record.status == "failed"]
    if failed:
        typer.echo(f"failed: {', '.join(failed)}; the same command tries them again", err=True)
        raise typer.Exit(1)


@contextmanager
def _telling_how_to_go_on(out: Path) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        runs = len(list(out.glob("runs/[!.]*")))
        typer.echo(
            f"interrupted; {runs} finished run{'' if runs == 1 else 's'} kept. "
            f"The same command with --out {shlex.quote(str(out))} goes on.",
            err=True,
        )
        raise


def _parse_jobs(text: str) -> int | None:
    from linewise.foundations.errors import ConfigError

    if text == "auto":
        return None
    if not text.isdecimal():
        raise ConfigError(f"{text!r}", where="--jobs", expected="auto or a number; 0 trains in this process")
    return int(text)

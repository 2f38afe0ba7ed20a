"""`linewise compare`: the main job."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from linewise.cli import options as o
from linewise.cli import studies as st
from linewise.cli.options import RUNNING_PANEL
from linewise.foundations import defaults


def compare(
    context: typer.Context,
    data: o.Data = "digits",
    models: st.Models = st.ALL_MODELS,
    match: st.Match = "params",
    budget: st.Budget = None,
    seeds: Annotated[int, typer.Option(help="Runs per network.")] = defaults.SEEDS,
    out: st.Out = None,
    resume: st.Resume = False,
    config: st.Config = None,
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
    tune: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Trials per network to choose its settings before the final runs.",
            rich_help_panel=o.TUNING_PANEL,
        ),
    ] = None,
    tune_epochs: o.TuneEpochs = None,
    tune_images: o.TuneImages = None,
    storage: o.Storage = None,
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
    jobs: st.Jobs = "auto",
    on: st.On = None,
    threads: o.Threads = 1,
    device: o.Device = "cpu",
    seeds_at_once: Annotated[
        int,
        typer.Option(
            min=1,
            help="Seeds of a network trained as one computation; where they are stopped, they begin anew.",
            rich_help_panel=RUNNING_PANEL,
        ),
    ] = 1,
    checkpoint_every: o.CheckpointEvery = o.CHECKPOINT_EVERY_S,
    hang_limit: o.HangLimit = o.HANG_LIMIT_S,
    log: o.Log = None,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Make the report.", rich_help_panel=RUNNING_PANEL)
    ] = True,
) -> None:
    """Train networks at matched cost over several seeds, and report which serves these images better."""
    from linewise.cli.configuration import merge

    dials = merge({k: v for k, v in locals().items() if k not in ("context", "merge")}, config, context)
    source = context.get_parameter_source("storage")
    if not dials["tune"] and source is not None and source.name == "ENVIRONMENT":
        dials["storage"] = None  # a machine that always has a storage may also train without tuning
    _compare(dials)


def _compare(d: dict[str, Any]) -> None:
    from linewise import api
    from linewise.cli.display import Display
    from linewise.cli.tables import print_study

    out = st.study_folder(d)
    with st.telling_how_to_go_on(out), Display() as display:
        study = api.compare(
            d["data"],
            out=out,
            report=d["report"],
            events=display.events,
            seeds=d["seeds"],
            tune=d["tune"],
            seeds_at_once=d["seeds_at_once"],
            checkpoint_s=d["checkpoint_every"],
            hang_s=d["hang_limit"],
            log=d["log"],
            **st.arguments(d),
        )
    print_study(study, with_report=d["report"])
    failed = [run.path.name for run in study.folder.runs() if run.record.status == "failed"]
    if failed:
        typer.echo(f"failed: {', '.join(failed)}; the same command tries them again", err=True)
        raise typer.Exit(1)

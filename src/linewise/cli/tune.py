"""`linewise tune`: the settings of each network, without final runs and without opening the test set."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linewise.cli import options as o
from linewise.cli import studies as st
from linewise.foundations import defaults

if TYPE_CHECKING:
    from linewise.api import Study


def tune(
    context: typer.Context,
    data: o.Data = "digits",
    models: st.Models = st.ALL_MODELS,
    trials: Annotated[
        int, typer.Option(min=1, help="Per network; the first has the recipe below.")
    ] = defaults.TRIALS,
    match: st.Match = "params",
    budget: st.Budget = None,
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
    hang_limit: o.HangLimit = o.HANG_LIMIT_S,
) -> None:
    """Choose each network's settings by equally many trials on training and validation images."""
    from linewise.cli.configuration import merge

    _tune(merge({k: v for k, v in locals().items() if k not in ("context", "merge")}, config, context))


def _tune(d: dict[str, Any]) -> None:
    from linewise import api
    from linewise.cli.display import Display

    out = st.study_folder(d)
    with st.telling_how_to_go_on(out), Display() as display:
        study = api.tune(
            d["data"], trials=d["trials"], out=out, events=display.events, hang_s=d["hang_limit"],
            **st.arguments(d),
        )  # fmt: skip
    _print(study, d)


def _print(study: Study, d: dict[str, Any]) -> None:
    from linewise.analysis.intervals import wilson
    from linewise.cli.tables import console
    from linewise.cli.words import settings_text
    from linewise.foundations.amounts import count

    record, out = study.tuning, console()
    assert record is not None
    n = record.num_validation
    for network in record.networks:
        ends = [count(network.count("finished"), "trial") + " finished"]
        ends += [f"{k} {s}" for s in ("diverged", "failed") if (k := network.count(s))]
        out.print(f"\n{network.label}: {', '.join(ends)}", markup=False, soft_wrap=True)
        if (best := network.best) is None or best.validation_accuracy is None:
            out.print("  its final runs have the study's recipe, untuned", markup=False, soft_wrap=True)
            continue
        low, high = wilson(round(best.validation_accuracy * n), n)
        lines = [
            f"  {settings_text(best.settings)} (trial {best.number + 1})",
            f"  validation {best.validation_accuracy:.2%} (95 % interval {low:.2%} to {high:.2%}, n = {n:,})",
        ]
        first = network.trials[0]
        if first.validation_accuracy is not None:
            lines.append(f"  the study's recipe: {first.validation_accuracy:.2%}")
        for line in lines:
            out.print(line, markup=False, soft_wrap=True)
    out.print(
        "\nThe best of several trials looks better than it is; what the settings are worth, the final runs tell:\n"
        f"{_going_on(study, d)}",
        markup=False,
        soft_wrap=True,
    )


def _going_on(study: Study, d: dict[str, Any]) -> str:
    """The command that uses the settings: what was typed, as `compare` has it."""
    from linewise.foundations.passwords import hide_password

    typed = sys.argv[2:]
    for option in ("--trials", "--out"):
        while option in typed:
            del typed[typed.index(option) : typed.index(option) + 2]
    kept = [hide_password(w) for w in typed if w != "--resume" and not w.startswith(("--trials=", "--out="))]
    return shlex.join(["linewise", "compare", *kept, "--tune", str(d["trials"]), "--out", str(study.path)])

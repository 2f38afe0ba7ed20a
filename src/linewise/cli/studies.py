"""What `linewise compare` and `linewise tune` share: a study's options, its folder, and how to go on with it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from linewise.cli import options as o
from linewise.foundations import defaults
from linewise.foundations.amounts import count, parse_amount

Models = Annotated[str, typer.Option(help="Networks, NAME[@READING][:SIZE=VALUE…], separated by commas.")]
Match = Annotated[str, typer.Option(help="What is made equal: params, macs or none.")]
Budget = Annotated[
    str | None, typer.Option(help="How much of it, such as 80k. Default: 80k, 20k under 16×16 pixels.")
]
Out = Annotated[
    Path | None,
    typer.Option(help="The study's folder; one that is there is gone on with. Default: a new one in studies/."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the newest study of these data.")]
Config = Annotated[
    Path | None, typer.Option(help="A TOML file with these options; what is typed here goes before it.")
]
Jobs = Annotated[
    str, typer.Option(help="Runs side by side; auto: as many as cores.", rich_help_panel=o.RUNNING_PANEL)
]
On = Annotated[
    str | None,
    typer.Option(
        help="A Ray cluster that computes the runs: ray (here), HOST:PORT or ray://HOST:PORT.",
        rich_help_panel=o.RUNNING_PANEL,
    ),
]
ALL_MODELS = ",".join(defaults.MODELS)
PLAIN = (
    "epochs", "batch_size", "lr", "rise", "fall", "weight_decay", "clip", "label_smoothing", "threads", "device",
)  # fmt: skip
"""Dials that are handed on as they are."""


def study_folder(d: dict[str, Any]) -> Path:
    """The folder that was asked for, the newest study of these data, or a new one.

    Raises:
        ConfigError: `--resume` and no such study.
    """
    from linewise import api
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
    return out or api.fresh_folder(Path(d["data"]).name)


def arguments(d: dict[str, Any]) -> dict[str, Any]:
    """Options as typed, as keyword arguments of `linewise.compare` and `linewise.tune`."""
    return {
        "jobs": parse_jobs(d["jobs"]),
        "data_dir": d["data_dir"],
        "image_options": o.image_options(d["size"], d["fit"], d["channels"], d["skip_unreadable"]),
        "split_options": o.split_options(
            d["images"], d["validation"], d["test"], d["split_seed"], d["allow_leaks"]
        ),
        "command": o.typed_command(),
        "models": o.split_models(d["models"]),
        "match": d["match"],
        "budget": parse_amount(d["budget"], "--budget") if d["budget"] else None,
        "augment": o.parse_augment(d["augment"]),
        "betas": o.parse_betas(d["betas"]),
        "read_along": defaults.READ_ALONG if d["read_along"] else 0.0,
        **{k: d[k] for k in (*PLAIN, "tune_epochs", "tune_images", "storage", "on")},
    }


@contextmanager
def telling_how_to_go_on(out: Path) -> Iterator[None]:
    """Say after an interrupt what is kept; outside of the display, whose table would be drawn over it."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        runs = len(list(out.glob("runs/[!.]*/run.json")))
        begun = len({path.parent for path in out.glob("runs/[!.]*/checkpoint/[0-9]*.json")})
        trials = "all ended trials and " if (out / "tuning").is_dir() else ""
        more = f", and {begun} not finished, up to a checkpoint" if begun else ""
        typer.echo(
            f"interrupted; {trials}{count(runs, 'finished run')} kept{more}. "
            f"The same command with --out {shlex.quote(str(out))} goes on.",
            err=True,
        )
        raise


def parse_jobs(text: str) -> int | None:
    """`auto` or a number.

    Raises:
        ConfigError: anything else.
    """
    from linewise.foundations.errors import ConfigError

    if text == "auto":
        return None
    if not text.isdecimal():
        raise ConfigError(f"{text!r}", where="--jobs", expected="auto or a number; 0 trains in this process")
    return int(text)

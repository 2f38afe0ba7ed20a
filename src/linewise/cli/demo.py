"""`linewise demo`: draw a digit and watch it being read."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from linewise.cli import options as o


def demo(
    data: Annotated[
        str | None,
        typer.Argument(help="Images, as for compare. Default: mnist where it lies at hand, else digits."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The study's folder. Default: the newest of these data.")
    ] = None,
    data_dir: o.DataDir = None,
    port: Annotated[
        int | None, typer.Option(help="Default: 8000, or a free one if it is in use.", min=0, max=65535)
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
) -> None:
    """Open the page that shows how networks read; train a small reader and a CNN first if there is none yet."""
    from linewise import api
    from linewise.api.folders import require
    from linewise.cli.display import Display
    from linewise.cli.serve import Options, open_server
    from linewise.foundations.amounts import count

    require("serve")

    with Display() as display:
        study, was_there = api.demo_study(
            data, out=out, data_dir=data_dir, events=display.events, command=o.typed_command()
        )
    runs = api.shown(study.path)
    typer.echo(f"{'found' if was_there else 'trained'}: {count(len(runs), 'network')} in {study.path}", err=True)
    options = Options(port=_free(8000) if port is None else port)
    open_server([run.path for run in runs], options, _open if browser and _has_screen() else None)


def _free(port: int) -> int:
    """This port, or 0 if somebody listens there."""
    import socket

    with socket.socket() as probe:
        return 0 if probe.connect_ex(("127.0.0.1", port)) == 0 else port


def _has_screen() -> bool:
    """Whether a browser can show itself: on Linux only with a display, else one of the terminal would open."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open(address: str) -> None:
    import webbrowser

    webbrowser.open(address)

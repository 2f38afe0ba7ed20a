"""`linewise report`: the page, made anew from a study's folder alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    study: Annotated[Path, typer.Argument(help="A folder that `linewise compare` wrote.")],
    figures: Annotated[
        bool, typer.Option("--figures/--no-figures", help="Also write PNG and SVG figures.")
    ] = True,
) -> None:
    """Make STUDY/report/index.html, figures, results.csv and results.json. Torch is not needed."""
    from linewise.report import build

    typer.echo(f"report: {build(study, figures=figures)}")

"""`linewise log`: a study that is on disk, told to an experiment tracker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linewise.foundations.amounts import count


def log(
    study: Annotated[Path, typer.Argument(help="The folder of a study, or of a run.")],
    to: Annotated[str, typer.Option(help="tensorboard:FOLDER or mlflow:URI.")],
) -> None:
    """Tell an experiment tracker of a study's runs. What it holds already is not doubled. Torch is not needed."""
    from linewise.adapters import log

    runs = log(study, to)
    typer.echo(f"{count(len(runs), 'run')} told to {to}")

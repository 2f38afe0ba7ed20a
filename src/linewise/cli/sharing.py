"""`linewise push` and `linewise pull`: models on a shelf, a folder laid out as Hugging Face lays out models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Shelf = Annotated[Path, typer.Argument(help="A folder that holds models.")]


def push(
    run: Annotated[Path, typer.Argument(help="A run's folder, such as studies/digits/runs/lstm-0.")],
    shelf: Shelf,
    name: Annotated[str | None, typer.Option(help="NAME or OWNER/NAME. Default: by study and run.")] = None,
    license: Annotated[str, typer.Option(help="Of the model, for its card, such as apache-2.0.")] = "unknown",
    tag: Annotated[list[str] | None, typer.Option(help="For its card; may be given several times.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="In the place of another model.")] = False,
) -> None:
    """Put a copy of a run's model on a shelf, with a model card; nothing leaves this machine."""
    from linewise.api.sharing import push

    typer.echo(f"pushed: {push(run, shelf, name, license=license, tags=tag or [], replace=replace)}")


def pull(
    shelf: Shelf,
    name: Annotated[str, typer.Argument(help="NAME or OWNER/NAME.")],
    out: Annotated[Path | None, typer.Option(help="A new folder. Default: runs/NAME.")] = None,
) -> None:
    """Take a copy of a model from a shelf, every file checked."""
    from linewise.api.sharing import pull

    typer.echo(f"pulled: {pull(shelf, name, out)}")

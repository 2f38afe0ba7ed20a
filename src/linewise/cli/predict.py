"""`linewise predict`: what a trained network sees in an image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def predict(
    run: Annotated[Path, typer.Argument(help="A run's folder, such as studies/digits/runs/lstm-0.")],
    images: Annotated[list[Path], typer.Argument(help="Image files.")],
    top: Annotated[int, typer.Option(help="Answers per image.", min=1)] = 3,
    early: Annotated[
        bool, typer.Option("--early", help="Stop reading by the rule of `linewise calibrate`.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the most likely classes of images, prepared exactly as in training."""
    from linewise.study.prediction import predict_files

    answers, unreadable = predict_files(run, images, top, early)
    if as_json:
        typer.echo(json.dumps([answer.model_dump() for answer in answers], indent=1, ensure_ascii=False))
    else:
        for answer in answers:
            classes = ", ".join(f"{c.name} {c.probability:.1%}" for c in answer.top)
            read = f" ({answer.read} of {answer.steps} steps read)" if answer.read else ""
            typer.echo(f"{answer.path}: {classes}{read}")
    for error in unreadable:
        typer.echo(f"error: {error}", err=True)
    if unreadable:
        raise typer.Exit(3)

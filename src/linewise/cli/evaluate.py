"""`linewise evaluate`: a trained network on a data set, an opening of the test set included."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linewise.cli import options as o


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run's folder, such as studies/digits/runs/lstm-0.")],
    data: Annotated[str, typer.Option(help="Images of the same classes, as for `compare`.")],
    split: Annotated[str, typer.Option(help="train, validation, test or all.")] = "test",
    data_dir: o.DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Accuracy with its 95 % interval and recall per class; opening a test set is logged."""
    import json

    from linewise.analysis.intervals import wilson
    from linewise.foundations.names import shown
    from linewise.models.saved import load_model
    from linewise.study.prediction import answers_of, images_for

    saved = load_model(run)
    names = saved.card.class_names
    part = images_for(run, saved, data, split, data_dir, o.typed_command())
    for warning in part.warnings:
        typer.echo(f"warning: {warning}", err=True)
    right_N = answers_of(saved, part.images_NHWC).argmax(axis=1) == part.labels_N
    low, high = wilson(int(right_N.sum()), len(right_N))
    recall = {
        name: (int(right_N[part.labels_N == k].sum()), int((part.labels_N == k).sum()))
        for k, name in enumerate(names)
    }
    if as_json:
        result = {"n": len(right_N), "accuracy": float(right_N.mean()), "low": low, "high": high}
        recalls = {name: right / n if n else None for name, (right, n) in recall.items()}
        typer.echo(json.dumps({**result, "recall": recalls}, indent=1, ensure_ascii=False))
        return
    typer.echo(
        f"{part.split}: accuracy {right_N.mean():.2%} "
        f"(95 % interval {low:.2%} to {high:.2%}, n = {len(right_N):,})"
    )
    for name, (right, n) in recall.items():
        typer.echo(f"  {shown(name)}: {right:,} of {n:,}" + (f", {right / n:.1%}" if n else ""))

"""What verbs print."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from linewise.api import Study


def _cells(row: dict[str, Any]) -> list[str]:
    def percent(value: float | None) -> str:
        return "–" if value is None else f"{value:.2%}"

    return [
        f"{row['parameters']:,}",
        write_amount(row["macs"]),
        percent(row["train_accuracy"]),
        percent(row["validation_accuracy"]),
        percent(row["test_accuracy"]),
    ]


def echo(text: str) -> None:
    """One line for the user, on standard output."""
    typer.echo(text)


def print_study(study: Study, *, with_report: bool) -> None:
    """The answer, the table of networks, and where everything is."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for column in (
        "network",
        "parameters",
        "MACs",
        "train",
        "validation",
        "test",
        "95 % interval",
        "n",
        "images/s",
    ):
        table.add_column(column, justify="left" if column == "network" else "right", no_wrap=True)
    for row in study.table:
        table.add_row(Text(row["model"]), *_cells(row))
    console.print(table)
    console.print(Text(f"\n{study.answer}\n"))
    if with_report:
        console.print(Text(f"report: {study.folder.report_path / 'index.html'}"), soft_wrap=True)
    else:
        console.print(Text(f"study: {study.path}"), soft_wrap=True)

"""What verbs print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from linewise.foundations.amounts import write_amount

if TYPE_CHECKING:
    from rich.console import Console

    from linewise.api import Study


WIDE = 160


def console(wide: int = WIDE) -> Console:
    """Standard output; tables are not squeezed where nobody watches."""
    from rich.console import Console

    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=wide)


def _cells(row: dict[str, Any]) -> list[str]:
    def percent(value: float | None) -> str:
        return "–" if value is None else f"{value:.2%}"

    tested = row["test_accuracy"] is not None
    return [
        f"{row['parameters']:,}",
        write_amount(row["macs"]),
        percent(row["train_accuracy"]),
        percent(row["validation_accuracy"]),
        percent(row["test_accuracy"]),
        f"{row['test_low']:.2%} – {row['test_high']:.2%}" if tested else "–",
        f"{row['num_seeds']} × {row['num_test']:,}" if tested else "–",
        f"{row['images_per_s']:,.0f}" if row["images_per_s"] else "–",
    ]


def echo(text: str) -> None:
    """One line for the user, on standard output."""
    typer.echo(text)


def print_study(study: Study, *, with_report: bool) -> None:
    """The answer, the table of networks, and where everything is."""
    from rich.table import Table
    from rich.text import Text

    out = console()
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
    out.print(table)
    out.print(Text(f"\n{study.answer}\n"))
    if with_report:
        out.print(Text(f"report: {study.folder.report_path / 'index.html'}"), soft_wrap=True)
    else:
        out.print(Text(f"study: {study.path}"), soft_wrap=True)

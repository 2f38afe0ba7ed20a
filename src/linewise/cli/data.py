"""`linewise data`: look at images before anything is trained on them; fetch well-known ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linewise.cli import options as o

if TYPE_CHECKING:
    from rich.console import Console

    from linewise.images import DataCheck

MOST_CLASSES = 30
"""Classes listed one by one; of more, the smallest and the largest are shown."""

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command()
def check(
    data: o.Data,
    size: o.Size = None,
    fit: o.Fit = "letterbox",
    channels: o.Channels = "auto",
    images: o.Images = None,
    validation: o.Validation = None,
    test: o.Test = None,
    split_seed: o.SplitSeed = 0,
    allow_leaks: o.AllowLeaks = False,
    skip_unreadable: o.SkipUnreadable = False,
    data_dir: o.DataDir = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Say what the images are and whether networks can be trained on them (exit code 3 if not)."""
    from linewise.images import ImageOptions, SplitOptions
    from linewise.images import check as check_data

    result = check_data(
        data,
        images=ImageOptions(**o.image_options(size, fit, channels, skip_unreadable)),
        splits=SplitOptions(**o.split_options(images, validation, test, split_seed, allow_leaks)),
        data_dir=data_dir,
        progress=not json,
    )
    if json:
        typer.echo(result.model_dump_json(indent=1))
    else:
        show(result)
    if not result.usable:
        raise typer.Exit(3)


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="mnist, fashion-mnist, kmnist or cifar10.")],
    data_dir: Annotated[Path | None, typer.Option(help="Data folder. Default: the cache folder.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Fetch again what is there.")] = False,
) -> None:
    """Fetch a data set by name; the only command that uses the network."""
    from linewise.images.download import download as fetch_all

    if name == "digits":
        typer.echo("digits is inside scikit-learn: there is nothing to download")
        return
    if not sys.stderr.isatty():
        folder = fetch_all(name, data_dir, force=force)
    else:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=Console(stderr=True)) as bars:
            tasks: dict[str, Any] = {}

            def advance(file: str, have: int, total: int) -> None:
                task = tasks[file] if file in tasks else tasks.setdefault(file, bars.add_task(file, total=total))
                bars.update(task, completed=have)

            folder = fetch_all(name, data_dir, force=force, progress=advance)
    typer.echo(f"{name} is in {folder}")


@app.command()
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all of it; it is made anew when needed.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Decoded images and unpacked archives on this disk: number, size, source, last use."""
    from linewise.cli.cached import show_cache

    show_cache(clear, json)


@app.command("list")
def list_names(data_dir: o.DataDir = None) -> None:
    """Data sets known by name, and where they were found."""
    from linewise.images.sources.digits import ABOUT
    from linewise.images.sources.named import NAMED

    rows = [("digits", "inside scikit-learn", ABOUT)]
    for name in NAMED:
        path = NAMED[name].look(data_dir)
        rows.append((name, str(path) if path else f"not found; linewise data download {name}", NAMED[name].about))
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    for name, place, about in rows:
        typer.echo(f"{name:<{widths[0]}}  {place:<{widths[1]}}  {about}")


def show(result: DataCheck) -> None:
    """Print a check for people."""
    from rich.console import Console
    from rich.text import Text

    from linewise.foundations.names import shown

    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    shape = (
        f"{result.shape[0]}×{result.shape[1]}, {'grey' if result.shape[2] == 1 else 'colour'}"
        if result.shape
        else ""
    )
    console.print(Text(f"{result.name}  ({result.kind})" if result.kind else result.name, style="bold"))
    facts = {
        "networks see": shape,
        "stored sizes": _some(result.sizes),
        "stored pixels": _some(result.modes),
        "balance": "" if result.balance is None else f"smallest class / largest class = {result.balance:.2f}",
        "duplicates": _duplicates(result),
        "fingerprint": result.fingerprint,
    }
    for name, fact in facts.items():
        if fact:
            console.print(Text(f"  {name:<14} {fact}"))
    if result.counts:
        _show_counts(console, result)
    for name, reason in list(result.unreadable.items())[:20]:
        console.print(Text(f"unreadable: {shown(name)} {reason}"))
    if len(result.unreadable) > 20:
        console.print(Text(f"… and {len(result.unreadable) - 20:,} more unreadable files (all with --json)"))
    for warning in result.warnings:
        console.print(Text(f"warning: {warning.text}"))
    for error in result.errors:
        console.print(Text(f"error: {error}"))
    console.print(Text("usable" if result.usable else "cannot be used", style="bold"))


def _show_counts(console: Console, result: DataCheck) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from linewise.foundations.names import shown

    table = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False)
    table.add_column("class", footer="all")
    for split, counts in result.counts.items():
        table.add_column(split, footer=f"{sum(counts.values()):,}", justify="right")
    names = result.class_names
    if len(names) > MOST_CLASSES:
        first = next(iter(result.counts.values()))
        by_size = sorted(names, key=lambda name: first.get(name, 0))
        names = [*by_size[-10:][::-1], "…", *by_size[:10][::-1]]
    for name in names:
        cells = ["…" if name == "…" else f"{counts.get(name, 0):,}" for counts in result.counts.values()]
        table.add_row(Text(shown(name)), *cells)
    console.print(table)


def _some(counts: dict[str, int], shown: int = 4) -> str:
    parts = [f"{name} ({number:,})" for name, number in list(counts.items())[:shown]]
    return ", ".join(parts) + (" …" if len(counts) > shown else "")


def _duplicates(result: DataCheck) -> str:
    if not result.fingerprint:
        return ""
    found = result.duplicates
    parts = [f"{number:,} in {split}" for split, number in found.within.items() if number]
    parts += [
        f"{number:,} in both {pair.replace('/', ' and ')}" for pair, number in found.across.items() if number
    ]
    parts += [f"{found.conflicts:,} under two labels"] if found.conflicts else []
    return ", ".join(parts) or "none"

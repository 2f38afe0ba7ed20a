"""`linewise bench`: what this machine does with the networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linewise.cli import options as o

PANEL = "rnn,lstm,gru,bilstm,cnn,sequencer2d_nano"


def bench(
    models: Annotated[str, typer.Option(help="Networks, separated by commas.")] = PANEL,
    budget: Annotated[str, typer.Option(help="Solve each width to this; none: as they are.")] = "80k",
    match: o.BudgetMatch = None,
    size: Annotated[str, typer.Option(help="Pixels: 28 or HEIGHTxWIDTH.")] = "28",
    batch_size: Annotated[int, typer.Option(min=2, max=65_536, help="Images per training step.")] = 128,
    threads: Annotated[int, typer.Option(min=1, max=1024, help="Processor threads of the networks.")] = 1,
    rounds: Annotated[int, typer.Option(min=2, max=1000, help="Turns of each network at each work.")] = 7,
    write: Annotated[
        Path | None,
        typer.Option(
            help="Keep the tables in this Markdown file too, under date and machine.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time networks on this machine beside a matrix product: training, 1,000 images, one image.

    All have their turn in every round; told are medians and quartiles over rounds. Nothing else should run.
    """
    import json

    from linewise.cli.bench_tables import leaderboard_section, print_bench
    from linewise.foundations.leaderboard import keep, refuse_other_files
    from linewise.images.options import parse_size
    from linewise.study.bench import bench as measure

    amount, counted = o.budget_and_match(None if budget == "none" else budget, match)
    height_width = parse_size(size)
    assert height_width is not None
    if write is not None:
        refuse_other_files(write)
    found = measure(
        o.split_models(models),
        budget=amount,
        match=counted,  # type: ignore[arg-type]
        shape=(*height_width, 1),
        batch_size=batch_size,
        threads=threads,
        rounds=rounds,
        on_round=_say_rounds,
    )
    if as_json:
        typer.echo(json.dumps({**found.model_dump(), "table": found.rows()}, indent=1))
    else:
        print_bench(found)
    if write is not None:
        keep(write, *leaderboard_section(found))


def _say_rounds(done: int, rounds: int) -> None:
    """One line that overwrites itself, where somebody watches."""
    import sys

    if sys.stderr.isatty():
        end = "\r" if done < rounds else f"\r{' ' * 40}\r"
        sys.stderr.write(f"round {done} of {rounds}{end}")
        sys.stderr.flush()

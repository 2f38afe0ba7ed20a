"""What `linewise bench` shows: a table for people, and the same as Markdown."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from linewise.cli.tables import console
from linewise.foundations.amounts import count
from linewise.foundations.bench import MANY, ONE, TRAIN, Bench, Spread

HEADERS = [
    "network",
    "parameters",
    "of the product",
    "of the best",
    "training, images/s",
    "1,000 images, images/s",
    "one image, ms",
]
WIDE = 200
WORDS = {TRAIN: "training", MANY: "1,000 images", ONE: "one image"}


def print_bench(bench: Bench) -> None:
    """Machine, probes, networks, and ours beside torch's."""
    out = console(WIDE)
    out.print(Text(machine(bench)), soft_wrap=True)
    for line in (*probe_lines(bench), ""):
        out.print(Text(line), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for header in HEADERS:
        table.add_column(header, justify="left" if header == "network" else "right", no_wrap=header == "network")
    for row in cells(bench):
        table.add_row(*map(Text, row))
    out.print(table)
    for line in ("", *beside_lines(bench), *notes(bench), foot(bench)):
        out.print(Text(line), soft_wrap=True)


def leaderboard_section(bench: Bench) -> tuple[str, str]:
    """Title and Markdown for `foundations.leaderboard.keep`."""
    height, width, _ = bench.shape
    env = bench.environment
    lines = [
        f"{machine(bench)}.", "", *(f"{line}  " for line in probe_lines(bench)), "",
        "| " + " | ".join(HEADERS) + " |", "|---" + "|--:" * (len(HEADERS) - 1) + "|",
        *("| " + " | ".join([f"`{row[0]}`", *row[1:]]) + " |" for row in cells(bench)),
        "", *(f"- {line}" for line in (*beside_lines(bench), *notes(bench))), "", foot(bench),
    ]  # fmt: skip
    title = (
        f"{bench.date}, {env.processor}, {env.cores} cores: networks, {height}×{width}, batch {bench.batch_size}"
    )
    threads = count(env.threads, "thread")
    return f"{title}, {threads}", "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def machine(bench: Bench) -> str:
    """The machine and what was asked, in one line."""
    env, (height, width, _) = bench.environment, bench.shape
    budget = f"about {bench.budget:,} {bench.match}" if bench.budget else "widths as given"
    return (
        f"{env.processor}, {env.cores} cores, torch {env.torch}, Python {env.python}, linewise {env.linewise}; "
        f"{height}×{width}, {budget}, batch {bench.batch_size}, {count(env.threads, 'thread')}"
    )


def probe_lines(bench: Bench) -> list[str]:
    """Rates of the matrix product and the convolution, by threads."""
    names = {"product": "a large matrix product", "convolution": "a 3×3 convolution"}
    return [
        f"{names[p.kind]}, {count(p.threads, 'thread')}: "
        f"{_told(Spread.of([rate / 1e9 for rate in p.flops_per_s]), '.3g')} GFLOP/s"
        for p in bench.probes
    ]


def cells(bench: Bench) -> list[list[str]]:
    """The table's cells."""
    return [
        [
            row["network"] + (" on torch's layers" if row["layers"] == "torch" else ""),
            f"{row['parameters']:,}",
            _told(Spread(**row["share_of_product"]), ".0%"),
            _told(Spread(**row["share_of_best"]), ".0%"),
            _told(Spread(**row["training_images_per_s"]), ",.0f"),
            _told(Spread(**row["inference_images_per_s"]), ",.0f"),
            _told(Spread(**row["latency_ms"]), ".3g"),
        ]
        for row in bench.rows()
    ]


def beside_lines(bench: Bench) -> list[str]:
    """How much longer torch's own layers take, for networks with kernels of ours."""
    return [
        f"{row['network']}: torch's own layers take "
        + ", ".join(
            f"{_told(Spread(**spread), '.2f')} times as long in {WORDS[work]}"
            if work == TRAIN
            else f"{_told(Spread(**spread), '.2f')} for {WORDS[work]}"
            for work, spread in row["beside_torch"].items()
        )
        for row in bench.rows()
        if row["beside_torch"]
    ]


def notes(bench: Bench) -> list[str]:
    """Networks that miss the budget, and why."""
    return [f"{t.model.label}: {t.model.note}" for t in bench.networks if t.model.note and t.layers == "linewise"]


def foot(bench: Bench) -> str:
    """How to read it."""
    n = len(bench.probes[0].seconds)
    return (
        f"Medians (quartiles) of n = {n} rounds in which all had their turn. Of the product: operations per "
        "second in training, forward and backward, as a share of the matrix product's on as many threads; of the "
        "best: of the faster of product and convolution."
    )


def _told(spread: Any, form: str) -> str:
    return f"{spread.median:{form}} ({spread.low:{form}} to {spread.high:{form}})"

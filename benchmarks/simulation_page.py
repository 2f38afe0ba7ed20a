"""The results of simulation.py in words and tables."""

from __future__ import annotations

COVERAGE = {
    "alarms": "panels with a false alarm",
    "accuracies": "accuracies held",
    "differences": "differences held",
    "worst_pair": "of them the worst pair",
    "planted_held": "planted difference held",
    "mcnemar": "one run each: McNemar alarms",
}
POWER = {
    "planted": "planted, points",
    "stated": "stated",
    "found": "found",
    "own_statement": "stated by the studies, mean",
    "planted_holm": "planted among 10 pairs, points",
    "stated_holm": "stated, at least",
    "found_holm": "found after Holm",
}
BOOTSTRAP = {"holds": "differences held by the bootstrap"}
PAGE = """# Do the statistics keep their word?

    OMP_NUM_THREADS=1 python benchmarks/simulation.py --studies {studies} --bootstraps {bootstraps} \\
        --jobs {jobs} --seed {seed}

{processor}, {jobs} processes, other work beside: {seconds:,} s, of which {processor_s:,} s of processor time in
sum. All numbers: [results.json](results.json); `--rebuild` writes this page from it. What is tested:
[statistics.md](../../statistics.md).

{studies:,} simulated studies of each setting; five networks, of different kinds or copies of one, equally
accurate over all images and all seeds. How they are simulated, and why the truth is known:
`benchmarks/simulated.py`. Everything is in per cent unless it says points; 95 % intervals in brackets, exact
ones for shares of studies, over studies for means.

## False alarms and intervals

A false alarm: any of the ten pairs of a panel called different after Holm's correction; at most 5 % were
promised. Held: the 95 % interval holds the truth; 93 to 97 % were promised. The last column is McNemar's exact
test on one run each of two of these networks: it speaks of two runs only, and on many images it tells equally
accurate networks apart by their seeds.

{coverage}
{outside}

## Power

A network worse by the planted difference stands beside one of the five. The difference was chosen so that the
stated power, from the true variances, is 80 %. Found: p < 0.05, alone; or among ten pairs after Holm. "Stated
by the studies" is what each study says of the same difference from its own variances. Where a difference of
more than 20 points would be needed, none was planted.

{power}
## The bootstrap

{bootstraps:,} studies of each setting, 1,000 replicates, the third and the fourth network. It counts what is
peculiar to a seed and an image up to three times (Owen 2007), so it errs on the wide side except with few
restless seeds.

{bootstrap}"""


def table(rows: list[dict], columns: dict[str, str]) -> str:
    """Percentages in Markdown, with intervals in brackets."""
    head = ["networks", "accuracy", "seeds", "images", *columns.values()]
    body = [[*_setting(row), *(_cell(name, row[name]) for name in columns)] for row in rows]
    lines = [head, [":---"] + ["---:"] * (len(head) - 1), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _setting(row: dict) -> list[str]:
    kind = "copies" if row["copies"] else "different"
    return [kind, f"{100 * row['accuracy']:.0f}", str(row["seeds"]), f"{row['images']:,}"]


def _cell(name: str, value: list[float] | float | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return f"{100 * value[0]:.1f} ({100 * value[1]:.1f}–{100 * value[2]:.1f})"
    return f"{100 * value:.2f}" if name.startswith("planted") else f"{100 * value:.1f}"


def outside(rows: list[dict]) -> str:
    """Which settings miss what is promised."""
    missed = [
        "{} networks, {} %, {} seeds, {} images".format(*_setting(row))
        for row in rows
        if row["alarms"][0] > 0.05
        or not all(0.93 <= row[name][0] <= 0.97 for name in ("accuracies", "differences"))
    ]
    return f"Settings that miss a promise: {'; '.join(missed) or 'none'}."


def page(record: dict) -> str:
    """The results in words and tables."""
    rows = record["settings"]
    return PAGE.format(
        **{name: value for name, value in record.items() if name not in ("settings", "bootstrap")},
        coverage=table(rows, COVERAGE),
        outside=outside(rows),
        power=table(rows, POWER),
        bootstrap=table(record["bootstrap"], BOOTSTRAP),
    )

"""The results of simulation.py in words and tables."""

from __future__ import annotations

from linewise.analysis.intervals import clopper_pearson

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

## In short

By number of seeds, smallest to largest over the settings; per cent. Power was stated as 80 %.

{short}
{outside}

{again}## False alarms and intervals

A false alarm: any of the ten pairs of a panel called different after Holm's correction; at most 5 % were
promised. Held: the 95 % interval holds the truth; 93 to 97 % were promised. The last column is McNemar's exact
test on one run each of two of these networks: it speaks of two runs only, and on many images it tells equally
accurate networks apart by their seeds.

{coverage}
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


def short(rows: list[dict]) -> str:
    """The range over settings, for each number of seeds."""
    columns = {
        name: {**COVERAGE, **POWER}[name]
        for name in ("alarms", "accuracies", "differences", "worst_pair", "found")
    }
    head = ["seeds", "settings", *columns.values()]
    lines = [head, ["---:"] * len(head)]
    for seeds in sorted({row["seeds"] for row in rows}):
        those = [row for row in rows if row["seeds"] == seeds]
        cells = []
        for name in columns:
            values = [_value(row[name]) for row in those if row[name] is not None]
            cells.append(f"{100 * min(values):.1f} to {100 * max(values):.1f}")
        lines.append([str(seeds), str(len(those)), *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def outside(rows: list[dict]) -> str:
    """What misses its promise, by how much."""
    checks = {"alarms": (0.0, 0.05), **dict.fromkeys(("accuracies", "differences", "worst_pair"), (0.93, 0.97))}
    lines = []
    for name, (low, high) in checks.items():
        missed = [row for row in rows if not low <= _value(row[name]) <= high]
        told = "; ".join(
            "{} at {} %, {} seeds, {} images".format(*_setting(row)) + f": {100 * _value(row[name]):.1f}"
            for row in missed
        )
        lines.append(f"- {COVERAGE[name].removeprefix('of them ')}: {told or 'none'}")
    unsure = sum(row["alarms"][0] <= 0.05 < row["alarms"][2] for row in rows)
    return (
        f"Missed of {len(rows)} settings (at most 5 % of panels, 93 to 97 % held; judged by the estimates):\n\n"
        + "\n".join(lines)
        + f"\n\nFalse alarms at most 5 %, but with an interval that reaches beyond: in {unsure} of them."
    )


def _value(figure: list[float] | float) -> float:
    return figure[0] if isinstance(figure, list) else figure


def once_more(record: dict, again: dict | None) -> str:
    """False alarms beside those of other studies of the same settings; nothing where there are none."""
    if again is None:
        return ""
    here = {tuple(_setting(row)): row["alarms"] for row in record["settings"]}
    lines = [["networks", "accuracy", "seeds", "images", "here", "once more", "both"], [":---"] + ["---:"] * 6]
    for row in again["rows"]:
        if row["way"] != "chosen":
            continue
        first, second = here[tuple(_setting(row))], row["alarms"]
        alarms = round(first[0] * record["studies"]) + round(second[0] * again["studies"])
        studies = record["studies"] + again["studies"]
        both = [alarms / studies, *clopper_pearson(alarms, studies)]
        lines.append([*_setting(row), *(_cell("alarms", value) for value in (first, second, both))])
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return (
        "The interval's two constants were set by simulation, so some settings were simulated once more, with "
        f"seed {again['seed']}\n([variants.md](variants.md)). Panels with a false alarm:\n\n{table}\n\n"
    )


def page(record: dict, again: dict | None = None) -> str:
    """The results in words and tables.

    Args:
        record: of simulation.py.
        again: of simulation_variants.py.
    """
    rows = record["settings"]
    return PAGE.format(
        **{name: value for name, value in record.items() if name not in ("settings", "bootstrap")},
        coverage=table(rows, COVERAGE),
        short=short(rows),
        outside=outside(rows),
        again=once_more(record, again),
        power=table(rows, POWER),
        bootstrap=table(record["bootstrap"], BOOTSTRAP),
    )

"""Which network is faster, on four axes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from linewise.analysis import Summary
from linewise.analysis.speed import NetworkSpeed, Speeds, ratio_to_target, time_saved
from linewise.foundations.amounts import count
from linewise.report.charts.chart import Chart, Looks
from linewise.report.charts.speed import ratio_chart
from linewise.report.pictures import Pictures
from linewise.report.sections.section import Section

WORKS = {"train": "training", "1": "one image", "1000": "1,000 images"}
COST = {"params": "parameters", "macs": "multiply-accumulates"}


def section(summary: Summary, looks: Looks, pictures: Pictures | None) -> Section | None:
    """The section; None where nothing was measured in alternation."""
    speeds = summary.speeds
    if speeds is None:
        return None
    charts: list[Chart] = [chart for chart in [ratio_chart(speeds, WORKS)] if chart]
    data = {"speeds": speeds, "works": WORKS, "axes": _axes(summary, speeds)}
    return Section("speed", "Speed, fairly", "Speed", data, charts, _json(speeds))


def _axes(summary: Summary, speeds: Speeds) -> list[tuple[str, str]]:
    """What the best network of each family by validation shows on each axis."""
    names = summary.conclusion.recurrent, summary.conclusion.convolutional
    found = {network.label: network for network in speeds.networks}
    if not all(name in found for name in names) or names not in speeds.pairs:
        return []
    reader, convolver, spec = found[names[0]], found[names[1]], summary.evidence.spec
    costs = {n.label: n for n in summary.networks}
    rows = []
    for match, kind in COST.items():
        amounts = [(costs[n].parameters if match == "params" else costs[n].macs) for n in names]
        if spec.match == match:
            rows.append((f"the same {kind}", _told(speeds, names)))
        else:
            rows.append(
                (
                    f"the same {kind}",
                    f"not in this study ({names[0]} {amounts[0]:,}, {names[1]} {amounts[1]:,}); "
                    f"a study with --match {match} tells",
                )
            )
    rows.append(("the same training time", _same_time(reader, convolver, speeds)))
    rows.append(("the same accuracy", _same_accuracy(reader, convolver, speeds)))
    return rows


def _told(speeds: Speeds, names: tuple[str, str]) -> str:
    parts = []
    for work, title in WORKS.items():
        if work in speeds.pairs[names]:
            ratio = speeds.pairs[names][work]
            parts.append(f"{title} {ratio.estimate:.2f} times ({ratio.low:.2f} to {ratio.high:.2f})")
    saved = time_saved(speeds.pairs[names]["train"])
    low, high = (saved[1], saved[2]) if saved[0] >= 0 else (-saved[2], -saved[1])
    return (
        f"speed of {names[0]} ÷ speed of {names[1]}: {', '.join(parts)}; {100 * abs(saved[0]):.0f} % "
        f"{'less' if saved[0] >= 0 else 'more'} training time ({100 * low:.0f} to {100 * high:.0f} %)"
    )


def _same_time(reader: NetworkSpeed, convolver: NetworkSpeed, speeds: Speeds) -> str:
    parts = []
    for network in (reader, convolver):
        if network.accuracy_at_time is None:
            parts.append(f"{network.label} has not finished an epoch")
        else:
            accuracy, epochs = network.accuracy_at_time
            parts.append(f"{network.label} {100 * accuracy:.2f} % after {count(epochs, 'epoch')}")
    return (
        f"within {speeds.common_s:.1f} s: {'; '.join(parts)} (mean validation accuracy after whole epochs; the "
        "learning rate of the slower one has not yet come down)"
    )


def _same_accuracy(reader: NetworkSpeed, convolver: NetworkSpeed, speeds: Speeds) -> str:
    ratio = ratio_to_target(reader, convolver)
    if speeds.target is None or ratio is None:
        return "not every run got there"
    epochs = [
        f"{n.label} after {_range([e for e in n.epochs_to_target if e is not None])}" for n in (reader, convolver)
    ]
    sure = f"95 % interval over seeds {ratio.low:.2f} to {ratio.high:.2f}"
    if ratio.low == ratio.high:
        sure = "one seed, so no interval" if ratio.num_rounds < 2 else "all seeds alike, so no interval"
    return (
        f"validation accuracy {100 * speeds.target:.1f} %, which every run reached: {', '.join(epochs)}; "
        f"{reader.label} is there {ratio.estimate:.2f} times as soon ({sure})"
    )


def _range(epochs: list[int]) -> str:
    low, high = min(epochs), max(epochs)
    return count(low, "epoch") if low == high else f"{low} to {high} epochs"


def _json(speeds: Speeds) -> dict[str, Any]:
    return {
        "target": speeds.target,
        "common_s": speeds.common_s,
        "threads": speeds.threads,
        "processor": speeds.processor,
        "networks": [asdict(network) for network in speeds.networks],
        "recurrent_by_convolutional": [
            {"recurrent": r, "convolutional": c, **{work: asdict(ratio) for work, ratio in ratios.items()}}
            for (r, c), ratios in speeds.pairs.items()
        ],
    }

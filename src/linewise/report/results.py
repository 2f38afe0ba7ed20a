"""The study as tables for other programs: `results.csv` and `results.json`."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

from linewise.analysis import Summary
from linewise.analysis.answer import baseline
from linewise.analysis.calibration import calibration
from linewise.analysis.confusion import confusion, worst_pairs
from linewise.analysis.evidence import Evidence, NetworkEvidence
from linewise.analysis.mistakes import mistakes
from linewise.foundations.atomic import write_json, write_text
from linewise.foundations.cells import safe_cell

COLUMNS: tuple[str, ...] = (
    "model", "seed", "parameters", "macs", "train_accuracy", "validation_accuracy", "test_accuracy", "train_s",
    "status", "family", "images_per_s", "latency_ms_1", "latency_ms_1000", "epochs", "reason", "seeds_at_once",
)  # fmt: skip
"""Of a study without runs; one with runs has a latency column for each batch size measured."""


def write_results(summary: Summary, folder: Path, sections: dict[str, Any]) -> None:
    """Write both files, each whole or not at all.

    Args:
        sections: plain data of the page's further sections, by their names.
    """
    text = io.StringIO()
    rows = summary.run_rows()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: safe_cell(v) for k, v in row.items()} for row in rows)
    write_text(folder / "results.csv", text.getvalue())
    write_json(folder / "results.json", {**as_json(summary), **sections})


def as_json(summary: Summary) -> dict[str, Any]:
    """The whole summary as plain data."""
    evidence = summary.evidence
    wrong = mistakes(evidence)
    gap = summary.conclusion.difference
    return {
        "data": evidence.spec.data.name,
        "fingerprint": evidence.spec.data.fingerprint,
        "split": evidence.split,
        "answer": summary.answer,
        "headline": summary.conclusion.headline,
        "verdict": summary.conclusion.verdict,
        "best": {"recurrent": summary.conclusion.recurrent, "convolutional": summary.conclusion.convolutional},
        "difference": asdict(gap) if gap else None,
        "networks": [_network(network) for network in summary.networks],
        "majority_baseline": baseline(evidence),
        "confused": {network.label: _confused(evidence, network) for network in evidence.networks},
        "calibration": {
            network.label: asdict(calibration(answers))
            for network in evidence.networks
            if (answers := network.answers(evidence.split))
        },
        "wrong_images": {
            name: getattr(wrong, name).tolist() for name in ("only_recurrent", "only_convolutional", "both")
        }
        if wrong
        else None,
        "runs": summary.run_rows(),
    }


def _confused(evidence: Evidence, network: NetworkEvidence) -> list[dict[str, Any]]:
    """The ten most frequent confusions of a network, over its seeds."""
    names = evidence.spec.data.class_names
    counts_KK = confusion(network.answers(evidence.split), len(names))
    return [
        {"true": names[p.true], "predicted": names[p.predicted], "count": p.count, "rate": p.rate}
        for p in worst_pairs(counts_KK, 10)
    ]


def _network(network: Any) -> dict[str, Any]:
    fields = {k: v for k, v in vars(network).items() if k not in ("validation", "test", "latency")}
    intervals = {split: asdict(i) if (i := getattr(network, split)) else None for split in ("validation", "test")}
    return {**fields, **intervals, "latency": {str(k): v.model_dump() for k, v in network.latency.items()}}

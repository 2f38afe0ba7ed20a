"""A study's records: each file spoilt in turn, all of them read, and the study summed up."""

from __future__ import annotations

import random
from pathlib import Path

from fuzzing.mutators import spoil_bytes, spoil_json, spoil_zip
from fuzzing.targets import Target
from linewise.analysis import summarise
from linewise.foundations.environment import environment
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import StudySpec
from linewise.foundations.speed import Speed, Turns
from linewise.foundations.stopping import StopRule
from linewise.report import build
from linewise.study.stopping import load_rule
from linewise.study.tuning.storage import mend_journal
from studies import add_tuning, make_study


class Study(Target):
    """The first byte says which file the rest becomes."""

    name = "study"

    def prepare(self) -> None:
        make_study(self.folder, errors={"lstm": 0.2, "cnn": 0.1}, seeds=2, num_test=30, readers=("lstm",))
        add_tuning(self.folder, {"lstm": [0.5, 0.6], "cnn": [0.7, None]})
        rule = StopRule(
            sha256="0" * 64, data="digits", doubt=0.1, budget=0.01, confidence=0.9, num_images=100, num_lost=1,
            num_won=0, bound=0.005, num_steps=8, read=0.5,
        )  # fmt: skip
        rule.save(self.folder / "runs" / "lstm-0" / "stop.json")
        turns = [Turns(label=label, images=100, seconds=[0.5, 0.6, 0.7]) for label in ("lstm", "cnn")]
        speed = Speed(environment=environment(1, kernels=""), work={"train": turns, "1": turns, "1000": turns})
        speed.save(self.folder / "speed.json")
        files = sorted(path for path in self.folder.rglob("*") if path.is_file() and path.name != "README.md")
        chosen = [path for path in files if path.parent.name in ("lstm-0", "cnn-1") or "runs" not in path.parts]
        self.whole = {path: path.read_bytes() for path in chosen}
        self.paths = list(self.whole)
        self.spoilt = self.paths[0]

    def seeds(self) -> list[bytes]:
        return [bytes([number]) + data for number, data in enumerate(self.whole.values())]

    def path(self, data: bytes) -> Path:
        return self.paths[(data[0] if data else 0) % len(self.paths)]

    def spoil(self, rng: random.Random, data: bytes) -> bytes:  # type: ignore[override]
        kinds = {".json": spoil_json, ".npz": spoil_zip}
        return data[:1] + kinds.get(self.path(data).suffix, spoil_bytes)(rng, data[1:])

    def feed(self, data: bytes) -> None:
        self.spoilt.write_bytes(self.whole[self.spoilt])
        self.spoilt = self.path(data)
        self.spoilt.write_bytes(data[1:])
        if self.spoilt.name == "stop.json":
            load_rule(self.spoilt.parent)
        else:
            summary = summarise(StudyFolder.open(self.folder))
            summary.rows(), summary.run_rows(), summary.answer
            summary.verdicts.as_json(summary)
            read_all(self.folder)


def read_all(path: Path) -> None:
    """Every record of a study."""
    folder = StudyFolder.open(path)
    folder.openings(), folder.speed(), folder.tuning(), folder.gallery(), folder.films()
    for run in folder.runs():
        run.epochs(), run.learning()
        for split in ("validation", "test"):
            run.predictions(split), run.steps(split)


class Report(Study):
    """The whole page of a study one of whose records is spoilt; slow, and not part of the short form."""

    name = "report"

    def feed(self, data: bytes) -> None:
        self.spoilt.write_bytes(self.whole[self.spoilt])
        self.spoilt = self.path(data)
        self.spoilt.write_bytes(data[1:])
        build(self.folder, figures=False)


class Journal(Target):
    """The journal of a tuning, mended where its end was torn."""

    name = "journal"

    def seeds(self) -> list[bytes]:
        lines = [b'{"op_code": 0, "study_name": "x", "directions": [2]}', b'{"op_code": 4, "worker_id": "1"}']
        return [b"\n".join(lines) + b"\n", b"\n".join(lines), b""]

    def feed(self, data: bytes) -> None:
        path = self.folder / "journal.log"
        path.write_bytes(data)
        mend_journal(path)
        assert not mend_journal(path)


class RunRecords(Study):
    """The records of one run and the specification alone: nothing is computed, so that many can be read."""

    name = "records"

    def feed(self, data: bytes) -> None:
        self.spoilt.write_bytes(self.whole[self.spoilt])
        self.spoilt = self.path(data)
        self.spoilt.write_bytes(data[1:])
        if self.spoilt.name == "stop.json":
            load_rule(self.spoilt.parent)
        elif self.spoilt.name == "study.json":
            StudySpec.load(self.spoilt)
        else:
            read_all(self.folder)

"""A study's records: each file spoilt in turn, all of them read, and the study summed up."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from fuzzing.mutators import spoil_bytes, spoil_json, spoil_zip
from fuzzing.targets import Target
from linewise.analysis import summarise
from linewise.foundations import arrays
from linewise.foundations.environment import environment
from linewise.foundations.folder import Run, StudyFolder
from linewise.foundations.records import RunRecord
from linewise.foundations.speed import Speed, Turns
from linewise.foundations.stopping import StopRule
from linewise.report import build
from linewise.study.stopping import load_rule
from linewise.study.tuning.storage import mend_journal
from studies import add_tuning, make_study

SPLITS = ("validation", "test")


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
        self.finished = StudyFolder(self.folder).runs()[0].record
        self.spoilt = self.paths[0]

    def seeds(self) -> list[bytes]:
        return [bytes([number]) + data for number, data in enumerate(self.whole.values())]

    def path(self, data: bytes) -> Path:
        return self.paths[(data[0] if data else 0) % len(self.paths)]

    def spoil(self, rng: random.Random, data: bytes) -> bytes:  # type: ignore[override]
        kinds = {".json": spoil_json, ".npz": spoil_zip}
        return data[:1] + kinds.get(self.path(data).suffix, spoil_bytes)(rng, data[1:])

    def place(self, data: bytes) -> Path:
        """Write the spoilt file, with all others whole."""
        self.spoilt.write_bytes(self.whole[self.spoilt])
        self.spoilt = self.path(data)
        self.spoilt.write_bytes(data[1:])
        return self.spoilt

    def feed(self, data: bytes) -> None:
        spoilt = self.place(data)
        if spoilt.name != "stop.json":  # no part of a study's sums
            with whole_arrays_read_once(spoilt):
                summary = summarise(StudyFolder.open(self.folder))
                summary.rows(), summary.run_rows(), summary.answer
                summary.verdicts.as_json(summary)
        self.read(spoilt)

    def read(self, path: Path) -> None:
        """One file, by all that read it."""
        study, run = StudyFolder.open(self.folder), Run(path.parent, self.finished)
        readers = {
            "study.json": [study.spec], "openings.jsonl": [study.openings], "speed.json": [study.speed],
            "tuning.json": [study.tuning], "gallery.npz": [study.gallery], "films.npz": [study.films],
            "run.json": [lambda: RunRecord.load(path)], "stop.json": [lambda: load_rule(path.parent)],
            "epochs.csv": [run.epochs],
            "predictions.npz": [run.learning, *(partial(run.predictions, split) for split in SPLITS)],
            "steps.npz": [partial(run.steps, split) for split in SPLITS],
        }  # fmt: skip
        for reader in readers[path.name]:
            reader()


_READ: dict[Path, dict[str, np.ndarray]] = {}


@contextmanager
def whole_arrays_read_once(spoilt: Path) -> Iterator[None]:
    """Arrays of files that are not spoilt are the same each time; reading them took half of the time."""
    read_arrays = arrays.read_arrays

    def remembered(path: Path) -> dict[str, np.ndarray]:
        if path == spoilt:
            return read_arrays(path)
        if path not in _READ:
            _READ[path] = read_arrays(path)
        return dict(_READ[path])

    arrays.read_arrays = remembered
    try:
        yield
    finally:
        arrays.read_arrays = read_arrays


class RunRecords(Study):
    """Each file by itself, by all that read it: nothing is computed and no other file read, so that many can be."""

    name = "records"

    def feed(self, data: bytes) -> None:
        self.read(self.place(data))


class Report(Study):
    """The whole page of a study one of whose records is spoilt; slow, and not part of the short form."""

    name = "report"
    most_s = 10.0  # a page with all its sections, not one file

    def feed(self, data: bytes) -> None:
        self.place(data)
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

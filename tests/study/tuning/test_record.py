"""A tuning that is not this study's is refused, and so is one with nothing to tune."""

from __future__ import annotations

from pathlib import Path

import pytest

import linewise
from linewise.foundations.errors import ConfigError, DataError
from linewise.foundations.folder import StudyFolder
from linewise.study.tuning.record import begun
from studies import add_tuning, make_study


@pytest.mark.parametrize("changed", [{"plan": {"trials": 99}}, {"data": {"fingerprint": "e" * 64}}])
def test_record_of_another_study(tmp_path: Path, changed: dict[str, dict[str, object]]) -> None:
    make_study(tmp_path)
    add_tuning(tmp_path, {"lstm": [0.5, 0.6]})
    folder = StudyFolder.open(tmp_path)
    record = folder.tuning()
    assert record is not None
    data = folder.spec().data.model_copy(update={"fingerprint": record.data_fingerprint})
    spec = folder.spec().model_copy(update={"tuning": record.plan, "data": data})
    assert begun(folder, spec, None) == record  # type: ignore[arg-type]
    plan = record.plan.model_copy(update=changed.get("plan", {}))
    other = spec.model_copy(update={"tuning": plan, "data": data.model_copy(update=changed.get("data", {}))})
    with pytest.raises(DataError, match="the tuning of another study"):
        begun(folder, other, None)  # type: ignore[arg-type]


def test_nothing_to_tune(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to tune in majority"):
        linewise.tune("digits", models=["majority"], trials=1, out=tmp_path / "study")

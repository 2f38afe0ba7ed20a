"""Two launchers on one study: on one machine, and on two that share its folder."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from linewise.foundations.errors import ConfigError
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import RunPlan
from linewise.images import SplitOptions, load
from linewise.study import alone, comparison, lock, single
from linewise.study.comparison import run_study
from linewise.study.config import make_config, make_spec
from linewise.study.executors import InProcess


def leave_record(study: Path, host: str, seen_s: float, pid: int = 4242, **more: Any) -> None:
    """As a launcher that was killed leaves it."""
    seen = (datetime.now(UTC) - timedelta(seconds=seen_s)).isoformat(timespec="seconds")
    record = {"pid": pid, "host": host, "since": "2026-01-01T00:00:00+00:00", "seen": seen, **more}
    study.mkdir(exist_ok=True)
    (study / ".lock").touch()
    (study / ".lock.json").write_text(json.dumps(record))


def refusal(study: Path) -> str:
    with pytest.raises(ConfigError) as caught, lock.hold(study):
        pass
    return str(caught.value)


def test_a_killed_owner_on_this_machine_does_not_hold(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from linewise.study.lock import hold\n"
        "with hold(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    first = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert first.stdout is not None
    assert first.stdout.readline() == b"held\n"
    assert f"in use by a running study (process {first.pid} on {platform.node()}, since 20" in refusal(tmp_path)
    first.kill()
    first.communicate()
    assert (tmp_path / ".lock.json").exists()
    with lock.hold(tmp_path):
        assert json.loads((tmp_path / ".lock.json").read_text())["pid"] == os.getpid()
    assert not (tmp_path / ".lock.json").exists()


def test_on_a_disk_of_this_machine_the_system_knows_best(tmp_path: Path) -> None:
    """A container that was killed a moment ago had another name."""
    if lock.is_shared(tmp_path):
        pytest.skip("temporary files lie on a shared file system")
    leave_record(tmp_path, "another", seen_s=1)
    with lock.hold(tmp_path):
        pass


def test_on_a_shared_folder_another_machine_holds_while_it_is_heard_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "is_shared", lambda folder: True)  # no second machine is at hand
    leave_record(tmp_path, "another", seen_s=20)
    told = refusal(tmp_path)
    age = told.partition("last seen ")[2].partition(" s ago")[0]
    assert 19 <= int(age) <= 60
    assert told == (
        f"{tmp_path}: in use by a running study (process 4242 on another, since 2026-01-01T00:00:00+00:00, last seen "
        f"{age} s ago)\n"
        "  expected: one machine at a time\n"
        "  to mend:  wait for it to end, or choose another --out; where that machine is gone, the same command works "
        "120 s after it was last seen"
    )
    assert json.loads((tmp_path / ".lock.json").read_text())["host"] == "another"
    leave_record(tmp_path, "another", seen_s=lock.GONE_S + 1)
    with lock.hold(tmp_path):
        assert json.loads((tmp_path / ".lock.json").read_text())["host"] == platform.node()


@pytest.mark.parametrize("record", ["", "{", "[]", '{"pid": "x", "host": "y"}', '{"pid": 1, "host": "another"}'])
def test_a_record_that_tells_nothing_does_not_hold(
    record: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "is_shared", lambda folder: True)
    (tmp_path / ".lock.json").write_text(record)
    with lock.hold(tmp_path):
        pass


def test_where_there_are_no_locks_the_record_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(self: object, *args: object) -> None:
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(lock.FileLock, "acquire", none)
    leave_record(tmp_path, platform.node(), seen_s=1, pid=os.getppid())
    assert f"process {os.getppid()} on {platform.node()}" in refusal(tmp_path)
    leave_record(tmp_path, platform.node(), seen_s=1, pid=2**22 + 1)  # more than Linux gives
    with lock.hold(tmp_path):
        pass
    leave_record(tmp_path, "another", seen_s=1)
    assert "process 4242 on another" in refusal(tmp_path)


def test_the_owner_is_heard_of_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "SEEN_S", 0.05)
    owner = tmp_path / ".lock.json"
    with lock.hold(tmp_path):
        first, deadline = owner.stat().st_mtime_ns, time.monotonic() + 30
        while owner.stat().st_mtime_ns == first:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    time.sleep(0.2)
    assert not owner.exists()


def test_the_kind_of_file_system_is_that_of_the_nearest_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from collections import namedtuple

    part = namedtuple("part", "mountpoint fstype")
    mounts = [part("/", "ext4"), part(str(tmp_path), "nfs4"), part(str(tmp_path / "scratch"), "xfs")]
    monkeypatch.setattr(lock.psutil, "disk_partitions", lambda all: mounts)
    assert lock.is_shared(tmp_path / "studies" / "s")
    assert not lock.is_shared(tmp_path / "scratch" / "s")
    assert not lock.is_shared(Path("/elsewhere"))


def test_a_launcher_that_came_and_went_between_the_look_and_the_lock_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its runs would be those of another recipe than the study tells of."""
    images, study = load("digits"), tmp_path / "study"

    def other_first(*_: object) -> None:
        monkeypatch.undo()
        run_study(images, make_config(models=["linear"], seeds=1, epochs=1, lr=0.001), study, InProcess())

    monkeypatch.setattr(comparison, "_check_storage", other_first)
    with pytest.raises(ConfigError, match=r"lr 0\.001 → 0\.01"):
        run_study(images, make_config(models=["linear"], seeds=1, epochs=1, lr=0.01), study, InProcess())
    assert StudyFolder(study).spec().recipe.lr == 0.001


@pytest.mark.parametrize("verb", ["train", "resume"])
def test_a_run_that_another_ended_between_the_look_and_the_lock_is_kept(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, run, real = load("digits", splits=SplitOptions(images=100)), tmp_path / "run", single.held
    config = make_config(models=["linear"], epochs=1, match="none")
    if verb == "resume":
        plan = RunPlan(study=make_spec(config, images.record, "").model_copy(update={"seeds": [0]}))
        plan.save(alone.plan_path(run))

    def other_first(path: Path) -> AbstractContextManager[None]:
        monkeypatch.undo()
        single.resume(run) if verb == "resume" else single.train_one(images, config, 0, run)
        kept.append((run / "model.safetensors").stat().st_mtime_ns)
        return real(path)

    kept: list[int] = []
    monkeypatch.setattr(single, "held", other_first)
    with pytest.raises(ConfigError, match="has ended already" if verb == "resume" else "is there already"):
        single.resume(run) if verb == "resume" else single.train_one(images, config, 0, run)
    assert [(run / "model.safetensors").stat().st_mtime_ns] == kept
    assert not alone.plan_path(run).exists()

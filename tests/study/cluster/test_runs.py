"""Runs on a real cluster of several nodes: the same bits as worker processes, nodes and launchers lost in between."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import caches
import clusters
from linewise.foundations.errors import ConfigError
from linewise.foundations.folder import StudyFolder
from linewise.images import ImageSet, SplitOptions, load
from linewise.study.cluster import executor as executor_module
from linewise.study.cluster import tasks as tasks_module
from linewise.study.cluster.executor import RayTasks
from linewise.study.cluster.place import parse_place
from linewise.study.comparison import run_study
from linewise.study.config import make_config
from linewise.study.events import Events
from linewise.study.executors import GRACE_S, WorkerProcesses, load_parts
from linewise.study.watch import Retries

EPOCHS = 24
"""With a checkpoint after each step a run takes seconds: time to stop it in."""
MODELS = ["lstm:hidden=8:dropout=0.2"]
DIALS: dict[str, Any] = {"models": MODELS, "match": "none", "seeds": 2, "epochs": EPOCHS, "augment": {"shift": 1}}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[clusters.Cluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEWISE_CACHE", str(caches.begin(tmp_path_factory)))
        with clusters.cluster() as running:
            yield running


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load("digits", splits=SplitOptions(images=300))


@pytest.fixture(scope="module")
def undisturbed(digits: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What worker processes make of the study."""
    path = tmp_path_factory.mktemp("studies") / "workers"
    return bits(run_study(digits, make_config(**DIALS), path, WorkerProcesses(2, 1)))


def bits(folder: StudyFolder) -> dict[str, bytes]:
    """All that repeats to the bit: each file but those that tell of time."""
    found = {}
    for path in folder.path.glob("runs/*/*"):
        if path.name not in ("run.json", "epochs.csv"):
            found[f"{path.parent.name}/{path.name}"] = path.read_bytes()
    for run in folder.runs():
        epochs = [epoch.model_dump(exclude={"train_s"}) for epoch in run.epochs()]
        told = run.record.model_dump(exclude={"started", "times", "environment", "retried"})
        found[f"{run.path.name}/told"] = repr((epochs, told, run.record.environment.guarantee)).encode()
    return found


def on(cluster: clusters.Cluster) -> RayTasks:
    return RayTasks(parse_place(cluster.address), 1)


def test_a_node_that_is_killed_changes_nothing(
    cluster: clusters.Cluster, digits: ImageSet, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    begun: dict[str, int] = {}
    killed: list[set[str]] = []  # runs that had checkpoints when a node was killed

    def look(beats: dict[str, Any]) -> None:
        begun.update({key: beat.begun for key, beat in beats.items() if beat.begun})
        there = clusters.checkpoints(tmp_path / "s")
        over = {path.parent.name for path in (tmp_path / "s").glob("runs/[!.]*/run.json")}
        early = bool(there) and there <= {key for key, beat in beats.items() if 0 < 2 * beat.step <= beat.steps}
        # whichever node is killed, its run has a checkpoint: none has just ended, and none has just begun
        if not killed and early and there | over == set(beats) and len(there) == cluster.num_busy():
            cluster.kill_node()
            killed.append(there)

    warned: list[str] = []
    events = Events(progress=look, warned=warned.append)
    with on(cluster) as executor:
        executor.begin(load_parts, 2)
        folder = run_study(digits, make_config(**DIALS), tmp_path / "s", executor, events=events, checkpoint_s=0)
    assert killed
    assert len(begun) == 1, "the lost run, and no other, went on from a checkpoint"
    assert set(begun) <= killed[0]
    (lost,) = [run for run in folder.runs() if run.record.retried]
    assert lost.path.name in begun
    assert len(lost.record.retried) == 1
    assert warned == [f"{lost.path.name}: {lost.record.retried[0]}; tried again"]
    assert bits(folder) == undisturbed
    assert not list(folder.path.glob("runs/*/checkpoint"))
    cluster.add_node()


def start(
    out: Path, cluster: clusters.Cluster, home: Path | None = None, outside: bool = False, seeds: int = 2
) -> subprocess.Popen[bytes]:
    """`linewise compare` with the dials above.

    Args:
        home: of somebody who has nothing but the token's file.
        outside: of the cluster.
    """
    environment = dict(os.environ)
    if home:
        (home / ".ray").mkdir(parents=True)
        (home / ".ray" / "auth_token").write_text(environment.pop("RAY_AUTH_TOKEN"))
        del environment["RAY_AUTH_MODE"]
        environment["HOME"] = str(home)
    options = [
        "--images",
        "300",
        "--models",
        ",".join(MODELS),
        "--match",
        "none",
        "--epochs",
        "24",
        "--seeds",
        str(seeds),
    ]
    options += ["--augment", "shift=1", "--no-report", "--checkpoint-every", "0"]
    options += ["--on", cluster.outside if outside else cluster.address]
    return subprocess.Popen(
        [sys.executable, "-m", "linewise", "compare", "digits", *options, "--out", str(out)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def test_a_launcher_outside_that_is_stopped_goes_on_as_a_node_to_the_same_bits(
    cluster: clusters.Cluster, digits: ImageSet, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "s"
    first = start(out, cluster, tmp_path / "home", outside=True)
    clusters.wait_for(lambda: bool(clusters.checkpoints(out)) or first.poll() is not None, 180)
    first.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    _, said = first.communicate(timeout=90)
    assert first.returncode == 143, said
    assert time.monotonic() - asked < GRACE_S, "the tasks heard of it, and were not ended by force"
    assert b" not finished, up to a checkpoint" in said
    clusters.wait_for(lambda: not cluster.num_busy(), 10)
    left = clusters.checkpoints(out)
    begun: dict[str, int] = {}
    events = Events(progress=lambda beats: begun.update({k: b.begun for k, b in beats.items() if b.begun}))
    with on(cluster) as executor:
        again = run_study(digits, make_config(**DIALS), out, executor, events=events)
    assert set(begun) == left != set()
    assert bits(again) == undisturbed


def test_ctrl_c_twice_ends_with_its_exit_code(cluster: clusters.Cluster, tmp_path: Path) -> None:
    """On a node with the token's file alone. Pressed again while Ray takes its leave, it ended with exit code 1."""
    out = tmp_path / "s"
    launcher = start(out, cluster, tmp_path / "home")
    clusters.wait_for(lambda: bool(clusters.checkpoints(out)) or launcher.poll() is not None, 180)
    launcher.send_signal(signal.SIGINT)
    time.sleep(0.3)
    launcher.send_signal(signal.SIGINT)
    _, said = launcher.communicate(timeout=90)
    assert launcher.returncode == 130, said
    assert b"interrupted; " in said
    clusters.wait_for(lambda: not cluster.num_busy(), 30)


def test_jobs_that_fail_jobs_that_are_lost_and_nodes_with_other_software(
    cluster: clusters.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_module, "Retries", lambda: Retries(attempts=2))
    ends: dict[object, str] = {}
    again: list[tuple[object, str]] = []
    with on(cluster) as executor:
        executor.run(os.remove, [tmp_path / "none"], ends.__setitem__)
        executor.run(os._exit, [7], ends.__setitem__, on_again=lambda job, cause: again.append((job, cause)))
        executor.run(len, ["a job"], ends.__setitem__)
        here = tasks_module.software()
        monkeypatch.setattr(tasks_module, "software", lambda: {**here, "torch": "1.0"})
        with pytest.raises(ConfigError) as caught:
            executor.run(len, ["another"], ends.__setitem__)
    assert ends[tmp_path / "none"].startswith("FileNotFoundError: [Errno 2] No such file or directory: ")
    assert again == [(7, "its worker process was killed, or its node was lost")]
    assert ends[7] == "tried 2 times: its worker process was killed, or its node was lost"
    assert ends["a job"] == ""
    assert "another" not in ends
    assert str(caught.value) == (
        f"other software on node {platform.node()}: torch {here['torch']} there, 1.0 here\n"
        "  expected: the same on every node, else runs could not be compared\n"
        "  to mend:  install the same there; the same command goes on"
    )


def test_a_cluster_with_another_version_of_ray_is_refused(
    cluster: clusters.Cluster, linewise: Any, tmp_path: Path
) -> None:
    with cluster.pretending("2.1.0"):
        said = linewise("compare", "digits", "--on", cluster.address, "--out", tmp_path / "s")
    assert said.code == 2
    assert f"error: --on {cluster.address}: another version runs there" in said.err
    assert "2.1.0" in said.err
    assert not (tmp_path / "s").exists()


@pytest.mark.long
@pytest.mark.parametrize("turn", range(3))
def test_a_launcher_that_is_killed_leaves_nothing_running_and_goes_on(
    cluster: clusters.Cluster, digits: ImageSet, undisturbed: dict[str, bytes], tmp_path: Path, turn: int
) -> None:
    out = tmp_path / "s"
    for round_ in range(2):
        launcher = start(out, cluster)
        clusters.wait_for(lambda: bool(clusters.checkpoints(out)), 120)
        time.sleep((0.3 + 0.5 * turn) * (1 + round_))
        launcher.kill()
        launcher.communicate()
        clusters.wait_for(lambda: not cluster.num_busy(), 30)
    with on(cluster) as executor:
        again = run_study(digits, make_config(**DIALS), out, executor)
    assert bits(again) == undisturbed


@pytest.mark.long  # half a minute until a head is given up, one or two where that shows in a call over ray://
@pytest.mark.parametrize("outside", [False, True])
def test_a_head_that_is_lost_is_said_and_what_came_back_is_kept(
    digits: ImageSet, undisturbed: dict[str, bytes], tmp_path: Path, outside: bool
) -> None:
    out = tmp_path / "s"
    with clusters.cluster() as own:
        launcher = start(out, own, outside=outside, seeds=200)
        clusters.wait_for(lambda: bool(list(out.glob("runs/[!.]*/run.json"))), 120)
        own.kill_head()
        _, said = launcher.communicate(timeout=180)
    assert launcher.returncode == 2, said
    place = own.outside if outside else own.address
    found = "the connection was lost (" if outside else "the head of the cluster does not answer any more ("
    assert f"error: --on {place}: {found}".encode() in said
    assert said.rstrip().endswith(b"what has ended is kept, and the same command goes on")
    assert b"Traceback" not in said
    kept = {f"{path.parent.name}/{path.name}": path for path in out.glob("runs/[!.]*/model.safetensors")}
    assert set(kept) & set(undisturbed)
    assert all(kept[name].read_bytes() == undisturbed[name] for name in set(kept) & set(undisturbed))

"""Runs in TensorBoard and MLflow, read back with their own readers."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import linewise as package
from linewise.adapters import live, log, telling
from linewise.adapters.tracker import Tracker
from linewise.foundations.errors import ConfigError, DataError
from linewise.foundations.folder import StudyFolder
from linewise.study.events import Events
from studies import make_study

QUICK = {"models": ["gru", "linear"], "epochs": 2, "budget": 3000, "seeds": 1, "jobs": 0, "report": False}
SMALL = {**QUICK, "split_options": {"images": 200}}

pytestmark = pytest.mark.filterwarnings(
    "ignore::sqlalchemy.exc.SADeprecationWarning", "ignore::DeprecationWarning:tensorboard"
)


def read_tensorboard(folder: Path) -> dict[str, Any]:
    """Run → its accumulator."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = {}
    for run in sorted(folder.glob("*/*")):
        found[run.name] = EventAccumulator(str(run), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
        found[run.name].Reload()
    return found


def read_mlflow(uri: str, study: str) -> tuple[Any, dict[str, Any]]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(study)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    found = {run.info.run_name: run for run in runs}
    assert len(found) == len(runs)
    return client, found


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    return StudyFolder.open(make_study(tmp_path / "small", seeds=2, errors={"lstm": 0.1, "cnn": 0.05}))


def test_tensorboard_holds_curves_finals_parameters_and_a_picture(study: StudyFolder, tmp_path: Path) -> None:
    assert log(study.path, f"tensorboard:{tmp_path / 'tb'}") == [run.path.name for run in study.runs()]
    found = read_tensorboard(tmp_path / "tb")
    assert sorted(found) == ["cnn-0", "cnn-1", "lstm-0", "lstm-1"]
    for run in study.runs():
        events = found[run.path.name]
        told = [(e.step, e.value) for e in events.Scalars("validation_accuracy")]
        assert told == [(e.epoch, pytest.approx(e.validation_accuracy, rel=1e-6)) for e in run.epochs()]
        answers = run.predictions("test")
        assert answers is not None
        (accuracy,), (n,) = events.Scalars("final/test_accuracy"), events.Scalars("final/test_n")
        assert (accuracy.value, n.value) == (pytest.approx(answers.correct_N.mean(), rel=1e-6), 400)
        from statsmodels.stats.proportion import proportion_confint

        low, high = proportion_confint(int(answers.correct_N.sum()), 400, method="wilson")
        assert events.Scalars("final/test_accuracy_low")[0].value == pytest.approx(low, rel=1e-6)
        assert events.Scalars("final/test_accuracy_high")[0].value == pytest.approx(high, rel=1e-6)
        (image,) = events.Images("confusion/test")
        with Image.open(io.BytesIO(image.encoded_image_string)) as picture:
            assert picture.size == (image.width, image.height)
            assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 10
        (text,) = events.Tensors("parameters")
        table = text.tensor_proto.string_val[0].decode()
        assert f"| seed | {run.seed} |" in table
        assert run.record.data_fingerprint in table


def test_tensorboard_knows_the_hyperparameters(study: StudyFolder, tmp_path: Path) -> None:
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    log(study.path / "runs" / "lstm-1", f"tensorboard:{tmp_path / 'tb'}")
    (events,) = read_tensorboard(tmp_path / "tb").values()
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    hparams = HParamsPluginData.FromString(content).session_start_info.hparams
    assert hparams["seed"].number_value == 1
    assert hparams["network"].string_value == "lstm"


def test_mlflow_holds_curves_finals_parameters_and_files(study: StudyFolder, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    log(study.path, f"mlflow:{uri}")
    client, found = read_mlflow(uri, "small")
    assert sorted(found) == ["cnn-0", "cnn-1", "lstm-0", "lstm-1"]
    for run in study.runs():
        told = found[run.path.name]
        curve = client.get_metric_history(told.info.run_id, "train_loss")
        assert sorted((m.step, m.value) for m in curve) == [(e.epoch, e.train_loss) for e in run.epochs()]
        answers = run.predictions("test")
        assert answers is not None
        assert told.data.metrics["test_accuracy"] == answers.correct_N.mean()
        assert told.data.metrics["test_n"] == 400
        assert told.data.params["seed"] == str(run.seed)
        assert told.data.params["lr"] == str(run.record.recipe.lr)
        assert told.data.tags["linewise.data_fingerprint"] == run.record.data_fingerprint
        assert told.info.status == "FINISHED"
        files = {file.path for file in client.list_artifacts(told.info.run_id)}
        assert files >= {"run.json", "epochs.csv", "confusion-test.png"}
        (kept,) = tmp_path.glob(f"mlartifacts/{told.info.run_id}/artifacts/run.json")
        assert kept.read_bytes() == (run.path / "run.json").read_bytes()


@pytest.mark.parametrize("kind", ["tensorboard", "mlflow"])
def test_told_twice_is_not_doubled(study: StudyFolder, tmp_path: Path, kind: str) -> None:
    to = f"tensorboard:{tmp_path / 'tb'}" if kind == "tensorboard" else f"mlflow:sqlite:///{tmp_path / 'm.db'}"
    log(study.path, to)
    log(study.path, to)
    log(study.path / "runs" / "cnn-0", to)
    if kind == "tensorboard":
        found = read_tensorboard(tmp_path / "tb")
        assert len(found) == 4
        assert len(list((tmp_path / "tb").iterdir())) == 1
        for events in found.values():
            steps = [e.step for e in events.Scalars("train_loss")]
            assert steps == sorted(set(steps))
            assert len(events.Images("confusion/test")) == 1
            assert len(events.Tensors("parameters")) == 1
            assert len(events.Scalars("final/test_n")) == 1
    else:
        client, found = read_mlflow(to.removeprefix("mlflow:"), "small")
        assert len(found) == 4
        assert [e.name for e in client.search_experiments() if e.name != "Default"] == ["small"]
        for run in found.values():
            steps = [m.step for m in client.get_metric_history(run.info.run_id, "train_loss")]
            assert len(steps) == len(set(steps))
            assert len(client.get_metric_history(run.info.run_id, "test_n")) == 1


def test_another_study_of_the_same_name_is_another(tmp_path: Path) -> None:
    for place in ("a", "b"):
        path = make_study(tmp_path / place / "small", seeds=1, errors={"cnn": 0.1})
        spec = StudyFolder.open(path).spec()
        spec.model_copy(update={"created": f"2026-01-01T00:00:0{ord(place) % 10}+00:00"}).save(path / "study.json")
        log(path, f"tensorboard:{tmp_path / 'tb'}")
    assert len(list((tmp_path / "tb").iterdir())) == 2


def test_a_study_is_told_while_it_goes_on(tmp_path: Path) -> None:
    to, seen = f"tensorboard:{tmp_path / 'tb'}", {}

    def look(key: str, failure: str) -> None:
        seen.setdefault(key, sorted(p.name for p in (tmp_path / "tb").glob("*/*")))

    study = package.compare("digits", out=tmp_path / "s", log=to, events=Events(ended=look), **SMALL)
    found = read_tensorboard(tmp_path / "tb")
    assert sorted(found) == sorted(run.path.name for run in study.folder.runs())
    assert any(seen.values())  # before the end, some were there
    for run in study.folder.runs():
        events = found[run.path.name]
        assert [e.step for e in events.Scalars("train_loss")] == [1, 2]
        assert events.Scalars("final/test_accuracy")[0].value == pytest.approx(run.record.test_accuracy, rel=1e-6)
    before = {path: path.read_bytes() for path in (tmp_path / "tb").rglob("*") if path.is_file()}
    log(study.path, to)
    assert {path: path.read_bytes() for path in (tmp_path / "tb").rglob("*") if path.is_file()} == before


def test_train_is_told_to_mlflow(tmp_path: Path, linewise) -> None:
    uri, run = f"sqlite:///{tmp_path / 'm.db'}", tmp_path / "mine" / "one"
    said = linewise(
        "train", "digits", "--model", "gru:hidden=8", "--epochs", 2, "--images", 200, "--out", run,
        "--log", f"mlflow:{uri}",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert "warning" not in said.err
    again = linewise("log", run, "--to", f"mlflow:{uri}")
    assert again.out == f"1 run told to mlflow:{uri}\n"
    client, found = read_mlflow(uri, "mine")
    (told,) = found.values()
    assert [m.step for m in client.get_metric_history(told.info.run_id, "validation_accuracy")] == [1, 2]
    assert told.data.tags["linewise.weights_sha256"]
    assert {"README.md", "model.json", "model.safetensors"} <= {
        f.path for f in client.list_artifacts(told.info.run_id)
    }


def test_a_run_that_goes_on_tells_each_epoch_once(tmp_path: Path, linewise) -> None:
    board, run = f"tensorboard:{tmp_path / 'tb'}", tmp_path / "mine" / "one"
    options = ["--model", "gru:hidden=8", "--epochs", "30", "--checkpoint-every", "0", "--out", str(run)]
    command = [sys.executable, "-m", "linewise", "train", "digits", *options, "--log", board]
    launcher = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not any(e.Tags()["scalars"] for e in read_tensorboard(tmp_path / "tb").values()):
        assert launcher.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    launcher.terminate()
    assert launcher.wait(30) == 143
    before = len(read_tensorboard(tmp_path / "tb")["one"].Scalars("train_loss"))
    assert 1 <= before < 30

    said = linewise("train", "--resume", run, "--log", board)
    assert said.code == 0, said.err
    (events,) = read_tensorboard(tmp_path / "tb").values()
    assert [e.step for e in events.Scalars("train_loss")] == list(range(1, 31))
    assert [e.step for e in events.Scalars("final/validation_accuracy")] == [30]


class Broken(Tracker):
    """Fails or sleeps at everything."""

    def __init__(self, sleep_s: float = 0) -> None:
        self.sleep_s, self.calls, self.woken = sleep_s, 0, threading.Event()

    def begin(self, study: object) -> None:
        self.calls += 1
        if self.sleep_s:
            self.woken.wait(self.sleep_s)
        raise OSError("no such server")

    epochs = finish = close = begin  # type: ignore[assignment]


def test_a_tracker_that_fails_stops_nothing_and_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, warned = Broken(), []
    monkeypatch.setattr(live, "open_tracker", lambda to: tracker)
    study = package.compare(
        "digits", out=tmp_path / "s", log="mlflow:x", events=Events(warned=warned.append), **SMALL
    )
    assert [run.record.status for run in study.folder.runs()] == ["finished"] * 2
    assert all(run.record.test_accuracy is not None for run in study.folder.runs())
    assert tracker.calls == 1
    assert [text for text in warned if "told" in text] == [
        f"mlflow:x was not told everything (OSError: no such server); "
        f"`linewise log {tmp_path / 's'} --to mlflow:x` tries again"
    ]


def test_a_tracker_that_hangs_delays_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker, warned = Broken(sleep_s=60), []
    monkeypatch.setattr(live, "open_tracker", lambda to: tracker)
    spec = StudyFolder.open(make_study(tmp_path / "s", seeds=1, errors={"cnn": 0.1})).spec()
    began = time.monotonic()
    with telling("mlflow:x", tmp_path / "s", Events(warned=warned.append), patience_s=0.2) as events:
        events.planned(spec, ["cnn-0"])
        assert time.monotonic() - began < 1
    assert time.monotonic() - began < 5
    assert "no answer within 0.2 s" in warned[0]
    tracker.woken.set()


def test_a_folder_that_cannot_be_written_is_one_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    warned: list[str] = []
    package.compare(
        "digits", out=tmp_path / "s", log=f"tensorboard:{tmp_path / 'file'}", events=Events(warned=warned.append),
        **{**SMALL, "models": ["linear"]},
    )  # fmt: skip
    assert len([text for text in warned if "was not told everything" in text]) == 1
    with pytest.raises(ConfigError, match="the tracker failed"):
        log(tmp_path / "s", f"tensorboard:{tmp_path / 'file'}")


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("tensorbord:x", "unknown tracker 'tensorbord'"),
        ("mlflow", "'mlflow' names no place"),
        ("tensorboard:", "'tensorboard:' names no place"),
    ],
)
def test_a_wrong_target_is_refused_before_training(tmp_path: Path, to: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        package.compare("digits", out=tmp_path / "s", log=to, **SMALL)
    assert not (tmp_path / "s").exists()


def test_the_option_that_was_typed_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown tracker 'tensorbord'") as refused:
        log(tmp_path, "tensorbord:x")
    assert refused.value.where == "--to"


@pytest.mark.parametrize("kind", ["tensorboard", "mlflow"])
def test_a_missing_package_says_what_to_install(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linewise.adapters.tracker.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=rf"pip install 'linewise\[{kind}\]'"):
        log(tmp_path, f"{kind}:x")


def test_neither_study_nor_run(tmp_path: Path, linewise) -> None:
    with pytest.raises(DataError, match="neither a study nor a run"):
        log(tmp_path, f"tensorboard:{tmp_path}")
    said = linewise("log", tmp_path, "--to", f"tensorboard:{tmp_path}")
    assert said.code == 3


def test_telling_needs_no_torch_and_no_network(study: StudyFolder, tmp_path: Path) -> None:
    code = f"""
import socket, sys
def refuse(*a, **k): raise AssertionError("a connection")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
from linewise.adapters import log
log({str(study.path)!r}, "tensorboard:tb")
log({str(study.path)!r}, "mlflow:sqlite:///m.db")
assert "torch" not in sys.modules
import os
assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
from mlflow.telemetry.utils import is_telemetry_disabled
assert is_telemetry_disabled()
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=os.environ, check=True)

"""The demo: a study found or made, a server on it, and a browser that is led there."""

from __future__ import annotations

import http.client
import json
import os
from pathlib import Path

import pytest

import linewise
from linewise.api import demo_study, folders, showing, shown
from serving import start

QUICK = {"epochs": 1, "batch_size": 128}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "study"
    linewise.compare("digits", models=["mlp", "cnn", "gru"], seeds=2, jobs=0, out=path, report=False, **QUICK)
    return path


@pytest.fixture
def studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No studies yet, and a recipe that is quick."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(showing.RECIPES, "digits", QUICK)
    return tmp_path / folders.STUDIES


def test_a_reader_then_a_cnn_then_the_others_each_of_the_first_seed(study: Path):
    assert [run.path.name for run in shown(study)] == ["gru-0", "cnn-0", "mlp-0"]


def test_without_a_reader_or_without_a_study_nothing_is_shown(study: Path, tmp_path: Path):
    assert shown(tmp_path) == []
    for run in study.glob("runs/gru-*"):
        (run / "steps.npz").rename(run / "away.npz")
    try:
        assert shown(study) == []
    finally:
        for run in study.glob("runs/gru-*"):
            (run / "away.npz").rename(run / "steps.npz")


def test_the_data_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("LINEWISE_DATA", raising=False)
    assert showing.data_at_hand(tmp_path) == "digits"


@pytest.mark.mnist
def test_mnist_where_it_is(mnist_dir: Path):
    assert showing.data_at_hand(mnist_dir.parent) == "mnist"


def test_a_study_is_made_once_and_found_again(studies: Path):
    with pytest.warns(UserWarning, match="--read-along does not act on cnn"):
        made, was_there = demo_study("digits")
    assert (made.path.parent.name, was_there) == (studies.name, False)
    assert [run.path.name for run in shown(made.path)] == ["lstm-0", "gru-0", "cnn-0"]
    assert made.folder.runs()[0].record.recipe.read_along > 0
    again, was_there = demo_study("digits")
    assert (again.path, was_there) == (made.path, True)


def test_a_study_of_other_data_is_not_found(studies: Path, study: Path):
    studies.mkdir()
    (studies / "older").symlink_to(study)
    spec = json.loads((study / "study.json").read_text())
    assert spec["data"]["name"] == "digits"
    assert showing._newest("mnist") is None
    assert showing._newest("digits") == Path("studies/older")


def test_serves_the_study_and_leads_a_browser_there(study: Path, tmp_path: Path):
    script = tmp_path / "browser.py"
    script.write_text("import pathlib, sys\npathlib.Path(sys.argv[1]).write_text(sys.argv[2])\n")
    seen = tmp_path / "seen"
    environment = {"DISPLAY": ":9", "BROWSER": f"python3 {script} {seen} %s"}
    command = ["-m", "linewise", "demo", "--out", str(study), "--port", "0"]
    server = start(command, tmp_path / "log", **environment)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/v1/models")
    names = [model["name"] for model in json.load(connection.getresponse())["models"]]
    connection.request("GET", "/")
    page = connection.getresponse().read().decode()
    connection.close()
    server.terminate()
    assert server.end() in (0, 143)
    assert names == ["gru-0", "cnn-0", "mlp-0"]
    assert "Linewise" in page
    assert seen.read_text() == f"http://127.0.0.1:{server.port}"
    assert os.environ.get("BROWSER") != environment["BROWSER"]


def test_the_extra_is_asked_for_before_anything_is_trained(
    linewise, studies: Path, monkeypatch: pytest.MonkeyPatch
):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else find(name))
    said = linewise("demo", "digits")
    assert said.code == 2
    assert said.err.startswith("error: ")
    assert "pip install 'linewise[serve]'" in said.err
    assert not studies.exists()

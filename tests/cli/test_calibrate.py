"""`linewise calibrate` on real runs: what it chooses on, what it opens, what it keeps, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file
from sklearn.datasets import load_digits

from linewise import api
from linewise.foundations.errors import ConfigError
from linewise.foundations.stopping import StopRule
from linewise.images import load
from linewise.study import alone, single, stop_times
from linewise.study.config import make_config
from linewise.study.executors import InProcess

LOOSE = ("--loss-budget", 3)
"""A budget for which 400 validation images are enough."""


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are taken, but not judged here."""
    monkeypatch.setattr(stop_times, "ROUNDS", {1: 2, 1000: 2})
    monkeypatch.setattr(stop_times, "SINGLE_IMAGES", 5)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of class folders with digits in three splits, and a network trained on it."""
    folder = tmp_path_factory.mktemp("trained")
    digits = load_digits()
    write(folder / "images", digits.images, digits.target)
    return train(folder / "images", folder / "gru", "gru")


def write(folder: Path, images: np.ndarray, labels: np.ndarray, *, first: int = 0, split: bool = True) -> None:
    """Digits as PNG files: the first 1,000 to train on, 400 for validation, the rest for the test."""
    for i, (image, label) in enumerate(zip(images, labels, strict=True), start=first):
        part = ("test" if i >= 1400 else "validation" if i >= 1000 else "train") if split else ""
        path = folder / part / f"class-{label}" / f"{i:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * 15.9).astype(np.uint8)).save(path)


def train(data: str | Path | tuple[np.ndarray, np.ndarray], out: Path, name: str, **dials: Any) -> Path:
    along = {} if name in ("cnn", "bilstm") else {"read_along": 0.5}
    config = make_config(**{"models": [name], "epochs": 8, "budget": 5000, **along, **dials})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alone, "WorkerProcesses", lambda jobs, threads, hang_s: InProcess())
        single.train_one(load(data if not isinstance(data, Path) else str(data)), config, 0, out)
    return out


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained run, to write into."""
    return Path(shutil.copytree(trained, tmp_path / "gru"))


def openings(folder: Path) -> list[dict[str, Any]]:
    path = folder / "openings.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def chosen(rule: StopRule) -> dict[str, Any]:
    return rule.model_dump(exclude={"test", "data"})


def test_a_rule_is_found_tried_timed_and_kept(linewise: Callable[..., Any], run: Path) -> None:
    said = linewise("calibrate", run, *LOOSE)
    assert said.code == 0, said.err
    rule = StopRule.load(run / "stop.json")
    assert rule.doubt is not None
    assert rule.test is not None
    assert f"at most {rule.doubt:.2g}: loss within 3 points at 95 % confidence" in said.out
    assert f"n = 400 validation images: {rule.num_lost} lost, {rule.num_won} won" in said.out
    assert "test (n = 397, 95 % intervals)" in said.out
    assert f"stopping {rule.test.stopped.estimate:.2%}"[:-1] in said.out
    assert f"chart: {run / 'stop.png'}" in said.out
    with Image.open(run / "stop.png") as picture:
        assert picture.width > 500
    assert 0 < rule.read < 1
    assert rule.bound <= rule.budget == 0.03
    assert [(time.way, time.batch_size) for time in rule.test.times] == [
        (way, size) for size in (1, 1000) for way in ("whole", "steps", "stopping")
    ]
    assert all(len(time.seconds) == 2 and min(time.seconds) > 0 for time in rule.test.times)


def test_json_is_what_is_kept(linewise: Callable[..., Any], run: Path) -> None:
    said = linewise("calibrate", run, *LOOSE, "--json")
    assert said.code == 0
    assert json.loads(said.out) == json.loads((run / "stop.json").read_text())
    assert not (run / "stop.png").exists()


def test_the_test_images_choose_nothing(trained: Path, run: Path, tmp_path: Path) -> None:
    """Other test images with other labels: the same rule, another test."""
    first = api.calibrate(run, 3)
    data = Path(shutil.copytree(trained.parent / "images", tmp_path / "images"))
    shutil.rmtree(data / "test")
    noise = np.random.default_rng(0).uniform(0, 16, (60, 8, 8))
    write(data, noise, np.arange(60) % 10, first=1400)
    second = api.calibrate(run, 3, data=data)
    assert chosen(second) == chosen(first)
    assert first.test is not None
    assert second.test is not None
    assert (first.test.num_images, second.test.num_images) == (397, 60)
    assert first.test.full.estimate > 0.7 > 0.4 > second.test.full.estimate


def test_the_validation_images_choose(trained: Path, run: Path, tmp_path: Path) -> None:
    """Without which the test above could not fail."""
    data = Path(shutil.copytree(trained.parent / "images", tmp_path / "images"))
    for path in sorted((data / "validation").glob("*/*.png"))[::4]:
        path.unlink()
    first, second = api.calibrate(run, 3, test=False), api.calibrate(run, 3, data=data, test=False)
    assert (first.num_images, second.num_images) == (400, 300)
    assert chosen(second) != chosen(first)


def test_without_a_test_it_stays_sealed(linewise: Callable[..., Any], run: Path) -> None:
    sealed = linewise("calibrate", run, *LOOSE, "--no-test")
    assert sealed.code == 0
    assert "test (n" not in sealed.out
    rule = StopRule.load(run / "stop.json")
    assert rule.test is None
    assert openings(run) == []
    assert not (run / "stop.png").exists()
    assert chosen(api.calibrate(run, 3)) == chosen(rule)
    assert len(openings(run)) == 1


def test_a_rule_without_a_test_has_no_picture_of_an_earlier_one(linewise: Callable[..., Any], run: Path) -> None:
    assert linewise("calibrate", run, *LOOSE).code == 0
    assert (run / "stop.svg").exists()
    assert linewise("calibrate", run, "--loss-budget", 5, "--no-test").code == 0
    assert sorted(path.name for path in run.glob("stop.*")) == ["stop.json"]


def test_the_opening_is_logged_in_the_study(linewise: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    inside = Path(shutil.copytree(run, tmp_path / "study" / "runs" / "gru-0"))
    (tmp_path / "study" / "study.json").write_text("{}")
    assert linewise("calibrate", inside, *LOOSE).code == 0
    assert openings(inside) == []
    (entry,) = openings(tmp_path / "study")
    assert entry["runs"] == ["gru-0"]
    assert entry["command"] == f"linewise calibrate {inside} --loss-budget 3"
    assert entry["reason"].startswith("evaluated on the test images of ")


def test_images_that_are_not_divided_cannot_find_and_test_a_rule(
    linewise: Callable[..., Any], run: Path, tmp_path: Path
) -> None:
    digits = load_digits()
    write(tmp_path / "whole", digits.images[:300], digits.target[:300], split=False)
    said = linewise("calibrate", run, *LOOSE, "--data", tmp_path / "whole")
    assert said.code == 2
    assert said.err == (
        f"error: --data: {tmp_path / 'whole'} is not divided, so the images that find the rule would test it too\n"
        "  expected: images with a validation and a test split\n"
        "  to mend:  add --no-test, or name such images\n"
    )
    assert not (run / "stop.json").exists()
    assert openings(run) == []
    said = linewise("calibrate", run, *LOOSE, "--data", tmp_path / "whole", "--no-test")
    assert said.code == 0, said.err
    assert StopRule.load(run / "stop.json").num_images == 300


def test_the_training_folder_by_another_name_is_divided_as_it_was(
    linewise: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training images never vouch for a rule."""
    digits = load_digits()
    write(tmp_path / "whole", digits.images[:900], digits.target[:900], split=False)
    run = train(tmp_path / "whole", tmp_path / "lstm", "lstm", epochs=1)
    first = api.calibrate(run, 20, test=False)
    monkeypatch.chdir(tmp_path)
    for name in ("whole", "./whole/", "../" + tmp_path.name + "/whole"):
        assert chosen(api.calibrate(run, 20, data=name, test=False)) == chosen(first)
    assert first.num_images < 300


@pytest.mark.parametrize(
    ("name", "found"),
    [("cnn", "cnn does not read step by step"), ("bilstm", "bilstm reads in two directions")],
)
def test_a_network_without_answers_before_its_end(
    linewise: Callable[..., Any], tmp_path: Path, name: str, found: str
) -> None:
    run = train("digits", tmp_path / name, name, epochs=1, budget=3000)
    before = sorted(path.name for path in run.iterdir())
    said = linewise("calibrate", run, *LOOSE)
    assert said.code == 2
    assert said.err == (
        f"error: {found}, so it has no answer before its end\n"
        "  expected: a network that reads in one direction, such as lstm or gru\n"
    )
    assert sorted(path.name for path in run.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *((("--loss-budget", b), f"--loss-budget: {b}\n  expected: points of accuracy between 0 and 100")
          for b in ("0", "-0.1", "100", "250", "nan")),
        *((("--confidence", c), f"--confidence: {c}\n  expected: a probability between 0 and 1")
          for c in ("0", "1", "1.5", "-1", "nan")),
    ],
)  # fmt: skip
def test_dials_out_of_range(
    linewise: Callable[..., Any], trained: Path, arguments: tuple[str, str], message: str
) -> None:
    said = linewise("calibrate", trained, *arguments)
    assert (said.code, said.err) == (2, f"error: {message}\n")
    assert openings(trained) == []


def test_too_few_images_for_the_promise(linewise: Callable[..., Any], run: Path) -> None:
    said = linewise("calibrate", run)
    assert said.code == 3
    assert said.err == (
        "error: 400 validation images cannot show that at most 0.1 points are lost\n"
        "  expected: at least 2,995 at 95 % confidence\n"
        "  to mend:  allow a larger --loss-budget, or train with more --validation images\n"
    )
    assert not (run / "stop.json").exists()
    assert openings(run) == []


def test_no_run_there(linewise: Callable[..., Any], tmp_path: Path) -> None:
    said = linewise("calibrate", tmp_path / "nowhere")
    assert said.code == 3
    assert said.err == (
        f"error: {tmp_path / 'nowhere' / 'model.json'}: no such file\n"
        "  expected: a folder with model.json and model.safetensors\n"
        "  to mend:  name a run's folder, such as STUDY/runs/lstm-0\n"
    )


def test_trained_on_arrays_it_asks_for_images(linewise: Callable[..., Any], tmp_path: Path) -> None:
    digits = load_digits()
    run = train(((digits.images * 15).astype(np.uint8), digits.target), tmp_path / "lstm", "lstm", epochs=1)
    said = linewise("calibrate", run, *LOOSE)
    assert said.code == 2
    assert said.err == (
        "error: --data: it was trained on arrays\n  expected: images of the same classes\n"
        "  to mend:  name them, as for `linewise evaluate`\n"
    )


def test_where_no_threshold_is_safe_all_is_read(linewise: Callable[..., Any], run: Path) -> None:
    """A network that is sure from its first step on, however wrong: any stop loses."""
    card = json.loads((run / "model.json").read_text())
    weights = load_file(run / "model.safetensors")
    heads = [name for name in weights if name.startswith("head") and name.endswith("weight")]
    assert heads
    for name in heads:
        weights[name] = weights[name] * 1000
    save_file(weights, run / "model.safetensors")
    card["sha256"] = hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()
    (run / "model.json").write_text(json.dumps(card))
    said = linewise("calibrate", run, *LOOSE)
    assert said.code == 0, said.err
    assert "no threshold keeps the loss within 3 points" in said.out
    rule = StopRule.load(run / "stop.json")
    assert rule.doubt is None
    assert rule.test is not None
    assert (rule.read, rule.test.read.estimate, rule.test.loss.estimate) == (1, 1, 0)


def test_from_python_a_wrong_dial_is_an_error_too(trained: Path) -> None:
    with pytest.raises(ConfigError, match="--confidence: 2"):
        api.calibrate(trained, confidence=2)


def test_predict_stops_by_the_rule(linewise: Callable[..., Any], trained: Path, run: Path) -> None:
    files = sorted((trained.parent / "images" / "test").glob("*/*.png"))[::8]
    missing = linewise("predict", run, *files, "--early")
    assert missing.code == 3
    assert missing.err.startswith(f"error: {run / 'stop.json'}: no such file\n")
    assert missing.err.endswith(f"to mend:  run `linewise calibrate {run}` first\n")
    rule = api.calibrate(run, 3, test=False)
    early = json.loads(linewise("predict", run, *files, "--early", "--json").out)
    whole = json.loads(linewise("predict", run, *files, "--json").out)
    assert [answer["path"] for answer in early] == [str(path) for path in files]
    assert {answer["steps"] for answer in early} == {8}
    assert {answer["read"] for answer in whole} == {None}
    assert 1 <= min(answer["read"] for answer in early) < 8
    for short, full in zip(early, whole, strict=True):
        if short["read"] == 8:  # read to the end: the same answer, sure or not
            assert short["top"][0]["probability"] == pytest.approx(full["top"][0]["probability"], abs=1e-5)
        else:
            assert rule.doubt is not None
            assert 1 - short["top"][0]["probability"] <= rule.doubt + 1e-6
    said = linewise("predict", run, files[0], "--early")
    assert said.out.endswith(f"({early[0]['read']} of 8 steps read)\n")

"""Models pushed to a shelf and pulled from it: whole, checked, never one in the place of another."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.datasets import load_digits

from linewise import ConfigError, DataError, ReaderClassifier, load_model, pull, push
from linewise.api.sharing import models_on
from linewise.foundations.errors import SavedModelError

DIGITS = load_digits()


@pytest.fixture(scope="module")
def readers() -> list[ReaderClassifier]:
    return [
        ReaderClassifier("gru", hidden=8, epochs=1, random_state=seed).fit(DIGITS.images, DIGITS.target)
        for seed in (0, 1)
    ]


@pytest.fixture
def run(readers: list[ReaderClassifier], tmp_path: Path) -> Path:
    return readers[0].save(tmp_path / "first")


@pytest.fixture
def other(readers: list[ReaderClassifier], tmp_path: Path) -> Path:
    return readers[1].save(tmp_path / "second")


def everything(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_is_pulled_answers_as_what_was_pushed(
    readers: list[ReaderClassifier], run: Path, tmp_path: Path
) -> None:
    place = push(run, tmp_path / "shelf", "me/digits-gru", license="apache-2.0", tags=["small"])
    assert place == tmp_path / "shelf" / "me" / "digits-gru"
    assert models_on(tmp_path / "shelf") == ["me/digits-gru"]
    taken = pull(tmp_path / "shelf", "me/digits-gru", tmp_path / "taken")
    again = ReaderClassifier.load(taken)
    assert np.array_equal(again.predict_proba(DIGITS.images), readers[0].predict_proba(DIGITS.images))
    assert load_model(place).card == load_model(run).card
    assert not [p for p in tmp_path.rglob("*") if p.name.endswith((".partial", ".old"))]


def test_other_tools_read_the_card_and_the_checksums(run: Path, tmp_path: Path) -> None:
    place = push(run, tmp_path / "shelf", "digits", license="mit", tags=["small: #1", "linewise"])
    assert (
        subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=place, check=False).returncode == 0
    )
    _, front, page = (place / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    card = yaml.safe_load(front)
    assert (card["license"], card["library_name"], card["pipeline_tag"]) == (
        "mit",
        "linewise",
        "image-classification",
    )
    assert card["tags"] == ["image-classification", "linewise", "gru", "small: #1"]
    (result,) = card["model-index"][0]["results"]
    with np.load(run / "predictions.npz") as answers:
        right = answers["validation_predicted"] == answers["validation_labels"]
    (metric,) = result["metrics"]
    assert metric["n"] == len(right) == 180
    assert metric["value"] == pytest.approx(right.mean(), abs=1e-6)
    low, high = metric["interval_95"]
    from statsmodels.stats.proportion import proportion_confint

    assert (low, high) == pytest.approx(proportion_confint(right.sum(), 180, method="wilson"), abs=1e-6)
    assert f"| validation | {right.mean():.2%} | {low:.2%} to {high:.2%} | 180 |" in page
    config = yaml.safe_load((place / "config.json").read_text(encoding="utf-8"))
    assert config["id2label"] == {str(k): str(k) for k in range(10)}
    assert config["image_size"] == [8, 8]


def test_the_same_again_changes_nothing_and_another_needs_to_be_told(
    run: Path, other: Path, tmp_path: Path
) -> None:
    shelf = tmp_path / "shelf"
    place = push(run, shelf, "digits")
    before, time = everything(shelf), (place / "README.md").stat().st_mtime_ns
    assert push(run, shelf, "digits") == place
    with pytest.raises(ConfigError, match="another model is there"):
        push(other, shelf, "digits")
    assert everything(shelf) == before
    assert (place / "README.md").stat().st_mtime_ns == time
    push(other, shelf, "digits", replace=True)
    assert load_model(place).card.sha256 == load_model(other).card.sha256
    assert sorted(p.name for p in shelf.iterdir()) == ["digits"]


def test_a_damaged_model_is_pushed_anew_only_by_replacing(run: Path, tmp_path: Path) -> None:
    place = push(run, tmp_path / "shelf", "digits")
    (place / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ConfigError, match="another model is there"):
        push(run, tmp_path / "shelf", "digits")
    push(run, tmp_path / "shelf", "digits", replace=True)
    load_model(place)


def test_pulling_never_overwrites(run: Path, other: Path, tmp_path: Path) -> None:
    push(run, tmp_path / "shelf", "digits")
    taken = pull(tmp_path / "shelf", "digits", tmp_path / "taken")
    assert pull(tmp_path / "shelf", "digits", taken) == taken
    before = everything(other)
    with pytest.raises(ConfigError, match="is there already"):
        pull(tmp_path / "shelf", "digits", other)
    assert everything(other) == before


@pytest.mark.parametrize(
    "file", ["README.md", "config.json", "model.json", "model.safetensors", "run.json", "estimator.json"]
)
def test_one_flipped_bit_is_found_in_any_file(run: Path, tmp_path: Path, file: str) -> None:
    place = push(run, tmp_path / "shelf", "digits")
    payload = bytearray((place / file).read_bytes())
    payload[len(payload) // 2] ^= 1
    (place / file).write_bytes(payload)
    with pytest.raises(DataError, match="the checksum differs"):
        pull(tmp_path / "shelf", "digits", tmp_path / "taken")
    assert not (tmp_path / "taken").exists()


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../out", "a/../b", "/etc", "a/b/c", "a\\b", ".hidden", "a..b", "a--b", "a b", "a\n", "ä", "x" * 98, "a/", "~", "con:"],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(run: Path, tmp_path: Path, name: str) -> None:
    before = everything(tmp_path)
    with pytest.raises(ConfigError, match="the name"):
        push(run, tmp_path / "shelf", name)
    with pytest.raises(ConfigError, match="the name"):
        pull(tmp_path / "shelf", name, tmp_path / "taken")
    assert everything(tmp_path) == before


def test_links_are_not_followed(run: Path, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    place = push(run, shelf, "digits")
    os.symlink(run, shelf / "away")
    with pytest.raises(ConfigError, match="leads out of the shelf"):
        pull(shelf, "away", tmp_path / "taken")
    os.symlink(tmp_path, shelf / "owner")
    with pytest.raises(ConfigError, match="leads out of the shelf"):
        push(run, shelf, "owner/digits")
    shutil.move(place / "run.json", tmp_path / "secret")
    os.symlink(tmp_path / "secret", place / "run.json")
    with pytest.raises(DataError, match="not a plain file"):
        pull(shelf, "digits", tmp_path / "taken")
    assert not (tmp_path / "taken").exists()


def test_a_runs_linked_records_are_not_given_away(run: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("mine")
    (run / "epochs.csv").unlink(missing_ok=True)
    (run / "epochs.csv").symlink_to(tmp_path / "secret")
    with pytest.raises(DataError, match=r"epochs\.csv: not a plain file"):
        push(run, tmp_path / "shelf", "digits")
    assert not list((tmp_path / "shelf").glob("digits*"))


@pytest.mark.parametrize(
    "line", ["0" * 64 + "  ../../x", "0" * 64 + "  other.bin", "nonsense", "0" * 64 + "  model.json"]
)
def test_checksums_name_a_models_files_only(run: Path, tmp_path: Path, line: str) -> None:
    place = push(run, tmp_path / "shelf", "digits")
    with (place / "SHA256SUMS").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match="a checksum and the name of a model's file"):
        pull(tmp_path / "shelf", "digits", tmp_path / "taken")


def test_checksums_that_are_no_file_are_refused(run: Path, tmp_path: Path) -> None:
    sums = push(run, tmp_path / "shelf", "digits") / "SHA256SUMS"
    text = sums.read_text()
    sums.unlink()
    os.mkfifo(sums)  # to read it would wait for ever
    with pytest.raises(SavedModelError, match="not a plain file"):
        pull(tmp_path / "shelf", "digits", tmp_path / "taken")
    sums.unlink()
    (tmp_path / "elsewhere").write_text(text)
    sums.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SavedModelError, match="not a plain file"):
        pull(tmp_path / "shelf", "digits", tmp_path / "taken")


def test_a_folder_that_is_there_by_nature_is_no_place(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(run, tmp_path / "shelf", "digits")
    monkeypatch.chdir(tmp_path / "shelf")
    for out in (".", "/", "digits/.."):
        with pytest.raises(ConfigError):
            pull(".", "digits", out)
    assert [path.name for path in tmp_path.joinpath("shelf").iterdir()] == ["digits"]


def test_two_that_push_one_name_leave_one_whole_model(run: Path, other: Path, tmp_path: Path) -> None:
    def put(path: Path) -> bool:
        try:
            return bool(push(path, tmp_path / "shelf", "digits", replace=True))
        except ConfigError:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert any(pool.map(put, [run, other] * 6))
    pull(tmp_path / "shelf", "digits", tmp_path / "taken")
    assert [path.name for path in (tmp_path / "shelf").iterdir()] == ["digits"]


def test_owners_and_models_do_not_take_each_others_place(run: Path, tmp_path: Path) -> None:
    push(run, tmp_path / "shelf", "a/b")
    push(run, tmp_path / "shelf", "c")
    with pytest.raises(ConfigError, match="'a' is an owner of models"):
        push(run, tmp_path / "shelf", "a", replace=True)
    with pytest.raises(ConfigError, match="'c' is a model"):
        push(run, tmp_path / "shelf", "c/d")


def test_on_the_command_line(run: Path, tmp_path: Path, linewise) -> None:
    said = linewise("push", run, tmp_path / "shelf", "--tag", "one", "--tag", "two")
    assert said.out == f"pushed: {tmp_path / 'shelf' / 'first'}\n"
    said = linewise("pull", tmp_path / "shelf", "first", "--out", tmp_path / "taken")
    assert said.out == f"pulled: {tmp_path / 'taken'}\n"
    said = linewise("pull", tmp_path / "shelf", "frist")
    assert said.code == 3
    assert f"{tmp_path / 'shelf'}: no model 'frist'\n  expected: one of first" in said.err

"""`linewise data cache`: what is there, and clearing it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock, Timeout
from PIL import Image
from typer.testing import CliRunner, Result

from linewise.cli.app import app
from linewise.images import ImageOptions, load
from linewise.images.mapped import Mapped


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(24):
        path = tmp_path / "pictures" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (8, 8, 3), np.uint8)).save(path)
    return tmp_path / "pictures"


def run(*words: str) -> Result:
    result = CliRunner().invoke(app, ["data", "cache", *words])
    assert result.exit_code == 0, result.output
    return result


def test_it_is_listed_and_cleared(folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run().output == f"nothing is kept in {own_cache}\n"
    monkeypatch.setenv("LINEWISE_IN_MEMORY", "0")
    grey = load(folder, images=ImageOptions(channels="grey"))
    load(folder)
    lines = run().output.splitlines()
    day = r"  \d{4}-\d\d-\d\d"
    assert re.fullmatch(rf"24 images, 8×8, colour +5\.\d kB{day}  {re.escape(str(folder))}", lines[0])
    assert re.fullmatch(rf"24 images, 8×8, grey +2\.\d kB{day}  {re.escape(str(folder))}", lines[1])
    assert re.fullmatch(rf"sizes and kinds of files +1\.\d kB{day}", lines[2])
    assert re.fullmatch(
        rf"\d+\.\d kB in {re.escape(str(own_cache))}, .* free; --clear removes it, and it is made anew when it is needed",
        lines[3],
    )
    found = json.loads(run("--json").output)
    sizes = [sum(Path(name).stat().st_size for name in entry["files"]) for entry in found["entries"]]
    assert sizes == [entry["bytes"] for entry in found["entries"]]
    expected = grey.train.images_NHWC[[2]]
    assert run("--clear").output.splitlines()[-1].endswith(f" kB removed from {own_cache}")
    assert list((own_cache / "decoded").iterdir()) == []
    np.testing.assert_array_equal(grey.train.images_NHWC[[2]], expected)  # it had been opened
    assert load(folder).record.fingerprint != grey.record.fingerprint


def test_what_is_being_written_stays(folder: Path, own_cache: Path) -> None:
    load(folder)
    (path,) = (own_cache / "decoded").glob("*.npy")
    with FileLock(path.with_name(f".{path.stem}.lock")):
        assert "(being written: kept)" in run("--clear").output
    assert Mapped(path).shape == (24, 8, 8, 3)


def test_leftovers_of_older_versions_are_cleared(own_cache: Path) -> None:
    (own_cache / "decoded").mkdir()
    (own_cache / "decoded" / "abc.json").write_text("[[8, 8, null")
    (own_cache / "decoded" / ".def.77.partial").write_bytes(bytes(2000))
    (own_cache / "unpacked" / "cifar10-images-1" / "train").mkdir(parents=True)
    (own_cache / "unpacked" / "cifar10-images-1" / "train" / "x").write_bytes(bytes(3000))
    assert [line.split("  ")[0] for line in run().output.splitlines()[:3]] == [
        "unpacked archive",
        "of another version, or unfinished",
        "of another version, or unfinished",
    ]
    run("--clear")
    assert [path for path in own_cache.rglob("*") if path.is_file()] == []


def test_a_lock_that_another_process_takes_once_it_is_free_stays_its_own(
    folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(folder)
    others: list[FileLock] = []

    class Coveted(FileLock):
        def release(self, force: bool = False) -> None:
            super().release(force)
            if not others:
                others.append(FileLock(self.lock_file))
                others[0].acquire(timeout=0)

    monkeypatch.setattr("linewise.images.files.kept.FileLock", Coveted)
    run("--clear")
    with pytest.raises(Timeout):
        FileLock(others[0].lock_file).acquire(timeout=0)
    others[0].release()

"""Options and configuration files that cannot be meant: exit code 2, the whole message, nothing allocated or written."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.main import get_command

from linewise.cli.app import app
from linewise.models.create import _memory_bytes
from linewise.study.lock import hold
from refusals import refused
from rights import open_folder, without_rights

OPTIONS = (parameter.name or "" for parameter in get_command(app).commands["compare"].params)  # type: ignore[attr-defined]
KEYS = ", ".join(sorted(name for name in OPTIONS if name not in ("config", "help")))


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command writes without being told where would be seen here."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("epoch = 3", f"unknown key 'epoch'\n  expected: one of {KEYS}"
         "\n  to mend:  did you mean 'epochs' or 'tune_epochs' or 'report'?"),
        ("[training]\nlr = 1", f"unknown key 'training'\n  expected: one of {KEYS}\n  to mend:  did you mean 'storage'?"),
        ("epochs = 'three'", "epochs = 'three'\n  expected: Input should be a valid integer, unable to parse string as an integer"),
        ("a = " + "[" * 5000, "not TOML (lists in lists without end)"),
    ],
    ids=lambda value: value[:20],
)  # fmt: skip
def test_configuration_files(linewise: Callable, tmp_path: Path, toml: str, message: str) -> None:
    (tmp_path / "study.toml").write_text(toml)
    assert refused(linewise, tmp_path, 2, "compare", "--config", "study.toml") == f"study.toml: {message}"


@pytest.mark.parametrize("toml", ["epochs = ", "lr = 1\nlr = 2", "\0", "lr = " + "9" * 5000], ids=repr)
def test_what_is_no_toml(linewise: Callable, tmp_path: Path, toml: str) -> None:
    """The reason is Python's own."""
    (tmp_path / "study.toml").write_text(toml)
    with pytest.raises(ValueError, match=r".") as caught:
        tomllib.loads(toml)
    said = refused(linewise, tmp_path, 2, "compare", "--config", "study.toml")
    assert said == f"study.toml: not TOML ({caught.value})"


def test_a_configuration_that_is_no_text(linewise: Callable, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_bytes(b"\xff\xfe\x00")
    said = refused(linewise, tmp_path, 2, "compare", "--config", "study.toml")
    assert said == "study.toml: not TOML ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte)"
    (tmp_path / "folder.toml").mkdir()
    said = refused(linewise, tmp_path, 2, "compare", "--config", "folder.toml")
    assert said == "folder.toml: cannot be read (Is a directory)"


@pytest.mark.parametrize("lr", ["0", "-1", "nan", "inf"])
@pytest.mark.parametrize("way", ["typed", "in a file"])
def test_learning_rates(linewise: Callable, tmp_path: Path, lr: str, way: str) -> None:
    finite = lr in ("0", "-1")
    value, wanted = (f"{float(lr)}", "greater than 0") if finite else (lr, "a finite number")
    if way == "typed":
        said = refused(linewise, tmp_path, 2, "compare", "digits", "--lr", lr)
    else:
        (tmp_path / "study.toml").write_text(f"lr = {lr}")
        said = refused(linewise, tmp_path, 2, "compare", "digits", "--config", "study.toml")
    assert said == f"configuration: lr = {value}\n  expected: Input should be {wanted}"


def test_a_batch_larger_than_the_data(linewise: Callable, tmp_path: Path) -> None:
    said = refused(linewise, tmp_path, 2, "compare", "digits", "--batch-size", "1151")
    assert said == "--batch-size: a batch of 1,151 is larger than the 1,150 training images"


@pytest.mark.parametrize("model", ["vit:patch=3", "mixer:patch=3", "sequencer2d_nano:patch=3"])
def test_a_patch_that_does_not_divide_the_image(linewise: Callable, tmp_path: Path, model: str) -> None:
    said = refused(linewise, tmp_path, 2, "compare", "digits", "--models", model, "--match", "none")
    name = "Sequencer" if model.startswith("seq") else model.partition(":")[0]
    assert said == (
        f"{name}: patches of 3×3 pixels do not divide images of 8×8\n  expected: height and width that are multiples of 3"
        "\n  to mend:  --size 9x9 scales the images; patch=2 or 4 or 8 divides them"
    )


def test_a_network_that_needs_a_terabyte(linewise: Callable, tmp_path: Path) -> None:
    """Refused before anything is allocated: this test would be killed otherwise."""
    said = refused(linewise, tmp_path, 2, "compare", "digits", "--models", "lstm:hidden=300000", "--match", "none")
    parameters = 4 * 300_000 * (300_000 + 8 + 2) + 10 * 300_000 + 10  # with the two biases of cuDNN
    memory = _memory_bytes() / 2**30
    assert said == (
        f"sizes: lstm with these sizes has {parameters:,} parameters and needs {16 * parameters / 2**30:,.0f} GiB"
        f"\n  expected: at most half of this machine's {memory:,.0f} GiB\n  to mend:  choose smaller sizes"
    )


@pytest.mark.parametrize("verb", ["compare", "train"])
def test_an_output_that_may_not_be_written(linewise: Callable, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    with open_folder() as folder:
        monkeypatch.chdir(folder)
        Path("locked").mkdir(mode=0o555)
        with without_rights():
            monkeypatch.setenv("LINEWISE_CACHE", str(folder / "cache"))
            said = refused(linewise, folder, 2, verb, "digits", "--out", "locked/study")
        assert said == (
            "locked/study: cannot be written (Permission denied)\n  to mend:  make it writable, or choose another --out"
        )


def test_an_output_that_holds_something_else(linewise: Callable, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    said = refused(linewise, tmp_path, 2, "compare", "digits", "--out", "mine")
    assert said == "mine: exists and is not a study\n  to mend:  choose another --out, or an empty folder"


def test_an_output_in_use_by_a_live_run(linewise: Callable, tmp_path: Path) -> None:
    with hold(tmp_path / "s"):
        said = linewise("compare", "digits", "--models", "linear", "--out", "s")
        since = (tmp_path / "s" / ".lock.json").read_text().split('"since": "')[1][:25]
    assert said.code == 2
    assert said.out == ""
    assert said.err == (
        f"error: s: in use by a running study (process {os.getpid()} on {os.uname().nodename}, since {since})"
        "\n  to mend:  wait for it to end, or choose another --out\n"
    )

"""What a user reads after a mistake: the whole message, the exit code, nothing written, no traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from linewise.models import list_models
from linewise.reading.naming import EXAMPLES, WORDS

MODELS = ", ".join(sorted(list_models()))
READINGS = ", ".join(sorted({*WORDS, *EXAMPLES}))


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "lsmt"], f"unknown model 'lsmt'\n  expected: one of {MODELS}\n"
         "  to mend:  did you mean 'lstm' or 'mlstm' or 'bilstm'?"),
        (["--models", "lstm@rwos"], f"unknown reading 'rwos'\n  expected: one of {READINGS}\n"
         "  to mend:  did you mean 'rows'?"),
        (["--models", "cnn@rows"], "cnn does not read in an order, so 'cnn@rows' means nothing\n"
         "  to mend:  write 'cnn'"),
        (["--models", "lstm:layers"], "'layers' in the model 'lstm:layers'\n"
         "  expected: SIZE=VALUE, such as layers=2"),
        (["--models", "lstm:layer=2"], "unknown size of lstm 'layer'\n"
         "  expected: one of body, dropout, hidden, join, layers, mlp, reading, readout\n  to mend:  did you mean 'layers'?"),
        (["--models", "lstm,cnn,lstm"], "--models: named twice: lstm\n  expected: each network once"),
        (["--models", ""], "configuration: models = []\n"
         "  expected: List should have at least 1 item after validation, not 0"),
        (["--betas", "0.9"], "--betas: '0.9'\n  expected: two numbers, such as 0.9,0.99"),
        (["--betas", "0.9,1"], "configuration: betas.1 = 1.0\n  expected: Input should be less than 1"),
        (["--rise", "1"], "configuration: rise = 1.0\n  expected: Input should be less than 1"),
        (["--fall", "step"], "configuration: fall = 'step'\n  expected: Input should be 'cosine' or 'linear'"),
        (["--lr", "0"], "configuration: lr = 0.0\n  expected: Input should be greater than 0"),
        (["--lr", "-1"], "configuration: lr = -1.0\n  expected: Input should be greater than 0"),
        (["--lr", "nan"], "configuration: lr = nan\n  expected: Input should be a finite number"),
        (["--lr", "inf"], "configuration: lr = inf\n  expected: Input should be a finite number"),
        (["--epochs", "0"], "configuration: epochs = 0\n  expected: Input should be greater than or equal to 1"),
        (["--seeds", "0"], "configuration: seeds = 0\n  expected: Input should be greater than or equal to 1"),
        (["--match", "flops"], "configuration: match = 'flops'\n  expected: Input should be 'params', 'macs' or 'none'"),
        (["--batch-size", "2000"], "--batch-size: a batch of 2,000 is larger than the 1,150 training images"),
        (["--budget", "80q"], "--budget: '80q'\n  expected: a positive amount such as 80000, 80k or 2.5M"),
        (["--budget", "10", "--models", "lstm"], "--budget: a budget of 10 params is too small for lstm\n"
         "  expected: at least 64, what its smallest width costs on these images"),
        (["--jobs", "many"], "--jobs: 'many'\n  expected: auto or a number; 0 trains in this process"),
        (["--augment", "shift"], "--augment: 'shift'\n  expected: NAME=STRENGTH, such as shift=2"),
        (["--augment", "flop=1"], "unknown augmentation 'flop'\n"
         "  expected: one of erase, flip, rotate, scale, shift\n  to mend:  did you mean 'flip'?"),
        (["--models", "lstm,lstm:dropout=0"], "--models: named twice: lstm and lstm,dropout=0, the same network\n"
         "  expected: each network once"),
        (["--models", "lstm,lstm:readout=last"], "--models: named twice: lstm and lstm,readout=last, the same network\n"
         "  expected: each network once"),
        (["--models", "vit:channels=8:patch=4,vit:channels=8:mlp=16:patch=4", "--match", "none"],
         "--models: named twice: vit,channels=8,patch=4 and vit,channels=8,mlp=16,patch=4, the same network\n"
         "  expected: each network once"),
        (["--match", "none", "--budget", "5"], "--budget: a budget of 5, and nothing to be matched\n"
         "  expected: no budget with --match none"),
        (["--models", "cnn", "--size", "4", "--batch-size", "1"], "--batch-size: batches of one image, and cnn normalises over"
         " the batch\n  expected: at least 2 for images of this size"),
        (["--resume"], "--resume: no study of digits under studies/ to go on with\n"
         "  to mend:  name its folder with --out, or leave --resume out"),
        (["--models", "lstm:hidden=300000"], "sizes: lstm with these sizes has"),
    ],
)  # fmt: skip
def test_wrong_dials(linewise: Callable, arguments: list[str], message: str) -> None:
    said = linewise("compare", "digits", *arguments)
    assert said.code == 2
    assert said.err == f"error: {message}\n" or (
        message.endswith("has") and said.err.startswith(f"error: {message}")
    )
    assert list(Path().iterdir()) == []


def test_an_unknown_option_is_answered_with_the_nearest(linewise: Callable) -> None:
    said = linewise("compare", "--epoch", "3")
    assert said.code == 2
    assert "No such option: --epoch" in said.err
    assert "--epochs" in said.err
    assert "Traceback" not in said.err


def test_an_unknown_verb_is_answered_with_the_nearest(linewise: Callable) -> None:
    said = linewise("compere")
    assert said.code == 2
    assert "compare" in said.err


def test_a_number_that_is_none(linewise: Callable) -> None:
    said = linewise("compare", "--epochs", "five")
    assert said.code == 2
    assert "Invalid value for '--epochs': Input should be a valid integer" in said.err


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("epoch = 3", "study.toml: unknown key 'epoch'\n  expected: one of "),
        ("epochs = 'three'", "study.toml: epochs = 'three'\n  expected: Input should be a valid integer"),
        ("epochs = ", "study.toml: not TOML ("),
    ],
)
def test_wrong_configuration_files(linewise: Callable, toml: str, message: str) -> None:
    Path("study.toml").write_text(toml)
    said = linewise("compare", "--config", "study.toml")
    assert said.code == 2
    assert said.err.startswith(f"error: {message}")
    assert "Traceback" not in said.err
    if "epoch " in toml:
        assert said.err.endswith("did you mean 'epochs' or 'tune_epochs' or 'report'?\n")


def test_a_missing_configuration_file(linewise: Callable) -> None:
    said = linewise("compare", "--config", "study.toml")
    assert (said.code, said.err) == (2, "error: study.toml: cannot be read (No such file or directory)\n")


def test_an_output_that_cannot_be_written(linewise: Callable) -> None:
    Path("file").write_text("a file, no folder")
    said = linewise("compare", "digits", "--out", "file/study")
    assert said.code == 2
    assert said.err == (
        "error: file/study: cannot be written (Not a directory)\n  to mend:  make it writable, or choose another --out\n"
    )


def test_no_study_to_report(linewise: Callable) -> None:
    said = linewise("report", "nowhere")
    assert said.code == 3
    assert said.err == (
        "error: nowhere: no study here (no study.json)\n  expected: a folder that `linewise compare --out` wrote\n"
    )


def test_no_model_to_predict_with(linewise: Callable) -> None:
    said = linewise("predict", "nowhere", "image.png")
    assert said.code == 3
    assert said.err == (
        "error: nowhere/model.json: no such file\n"
        "  expected: a folder with model.json and model.safetensors\n"
        "  to mend:  name a run's folder, such as STUDY/runs/lstm-0\n"
    )


@pytest.mark.parametrize("verb", [["compare"], ["train"], ["data", "check"]])
def test_data_that_are_not_there(linewise: Callable, verb: list[str]) -> None:
    said = linewise(*verb, "nosuchfolder")
    assert said.code in (2, 3)
    assert "error: nosuchfolder: there is no such data set, file or folder\n" in said.out + said.err
    assert "Traceback" not in said.err
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("train", "digits", "--match", "bogus"),
            "--match: unknown match 'bogus'\n  expected: one of macs, params",
        ),
        (
            ("train", "digits", "--match", "macs"),
            "--match: macs, and no budget to count\n  to mend:  give a --budget",
        ),
        (
            ("models", "lstm", "--match", "macs"),
            "--match: macs, and no budget to count\n  to mend:  give a --budget",
        ),
        (
            ("models", "lstm", "--budget", ""),
            "--budget: ''\n  expected: a positive amount such as 80000, 80k or 2.5M",
        ),
        (("readings", "rows", "--image", "3"), "--image, and nothing to be drawn\n  to mend:  add --show"),
        (("readings", "rows", "--out", "x", "--image", "3"), "--out and --image, and nothing to be drawn"),
    ],
)
def test_options_without_effect_are_said(linewise: Callable, arguments: tuple[str, ...], message: str) -> None:
    said = linewise(*arguments)
    assert said.code == 2
    assert message in said.err


def test_networks_are_listed_as_they_are_typed_or_named_in_reports(linewise: Callable) -> None:
    for text in ("gru@columns:layers=2,cnn", "gru@columns,layers=2,cnn"):
        said = linewise("models", text)
        assert said.code == 0
        assert "layers=2" in said.out
        assert "cnn" in said.out
    said = linewise("models", "gru@colums")
    assert said.code == 2
    assert "unknown reading 'colums'" in said.err
    said = linewise("models", "lstn*")
    assert said.code == 2
    assert "no network is called 'lstn*'" in said.err

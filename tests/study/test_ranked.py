"""`torchrun -m linewise train`: killed, restarted, stopped, gone on with, to the bits of a run that was not disturbed."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file

from linewise.foundations.records import RunRecord

DIALS = ["--model", "gru:hidden=6:dropout=0.2", "--images", "200", "--batch-size", "20", "--epochs", "12"]
DIALS += ["--augment", "shift=1", "--checkpoint-every", "0"]
TRAIN = ["-m", "linewise", "train"]
FILES = ("model.safetensors", "predictions.npz", "steps.npz")


def torchrun(*arguments: object, ranks: int = 2, restarts: int = 0) -> subprocess.Popen[str]:
    launcher = [
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={ranks}",
        f"--max-restarts={restarts}",
    ]
    return subprocess.Popen(
        [sys.executable, *launcher, *TRAIN, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(launcher: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = launcher.communicate(timeout=300)
    assert launcher.returncode == 0, err
    return out, err


def wait_for_step(launcher: subprocess.Popen[str], folder: Path, step: int) -> None:
    """Until so many checkpoints were written, one after each step."""
    deadline = time.monotonic() + 300
    while not any(int(path.stem) >= step for path in folder.glob("checkpoint/0*.json")):
        assert launcher.poll() is None, launcher.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def rank(launcher: subprocess.Popen[str], number: int) -> psutil.Process:
    (found,) = [p for p in psutil.Process(launcher.pid).children() if p.environ().get("RANK") == str(number)]
    return found


def told(run: Path) -> list[dict[str, str]]:
    with (run / "epochs.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "train_s"} for row in csv.DictReader(file)]


def test_killed_stopped_and_gone_on_with_it_ends_in_the_same_bits(tmp_path: Path) -> None:
    """`kill -9` of a rank, after which torchrun begins again; SIGTERM to torchrun; then `--resume`, twice."""
    whole, run = tmp_path / "whole" / "run", tmp_path / "run"
    check_said(whole, *done(torchrun("digits", *DIALS, "--out", whole)))
    launcher = torchrun("digits", *DIALS, "--out", run, restarts=1)
    wait_for_step(launcher, run, 20)
    rank(launcher, 1).kill()
    wait_for_step(launcher, run, 60)
    launcher.send_signal(signal.SIGTERM)
    _, err = launcher.communicate(timeout=60)
    assert launcher.returncode != 0
    (begun,) = [line for line in err.splitlines() if "goes on after step" in line]
    assert begun.startswith("run: goes on after step ")
    assert begun.endswith(" of 120")
    # by rank 0 alone, at the end, and before that where torchrun's signal came to it sooner than the loss of rank 1
    assert 1 <= err.count(f"interrupted; it goes on with: linewise train --resume {run}\n") <= 2
    assert not (run / "run.json").exists()
    launcher = torchrun("--resume", run, "--checkpoint-every", 0)
    wait_for_step(launcher, run, 80)
    rank(launcher, 1).kill()
    _, err = launcher.communicate(timeout=60)
    assert "error: another rank was lost (" in err
    assert "without it, the same command does" in err
    _, err = done(torchrun("--resume", run))
    assert "not bit-exact" not in err
    for name in FILES:
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    assert told(run) == told(whole)
    assert not (run / "checkpoint").exists()
    check_against_one_process(whole, tmp_path / "alone")


def test_without_torchrun_its_ranks_stop_with_a_checkpoint(tmp_path: Path) -> None:
    """`kill -9` of torchrun itself, which can pass nothing on. Most of the time they answer validation images."""
    run = tmp_path / "run"
    launcher = torchrun(
        "digits", "--model", "gru:hidden=256", "--validation", 1300, "--batch-size", 50,
        "--checkpoint-every", 1000, "--epochs", 4000, "--out", run,
    )  # fmt: skip
    assert launcher.stderr is not None
    assert any("epoch 1," in line for line in launcher.stderr)
    ranks = [rank(launcher, number) for number in (0, 1)]
    launcher.kill()
    assert psutil.wait_procs(ranks, timeout=60)[1] == []
    out, err = launcher.communicate(timeout=60)
    assert out == ""
    assert len(list(run.glob("checkpoint/0*.json"))) == 1, err


def check_said(run: Path, out: str, err: str) -> None:
    """One record, and the first rank speaks for all."""
    record = RunRecord.load(run / "run.json")
    assert (record.status, record.environment.ranks, record.environment.threads) == ("finished", 2, 1)
    assert record.recipe.batch_size == 20
    assert "number of ranks" in record.environment.guarantee
    assert sorted(path.name for path in run.parent.iterdir()) == ["run"]
    assert out.splitlines()[-1] == f"saved in {run}"
    assert len(out.splitlines()) == 2
    assert err.count("run: epoch 12, loss ") == 1


def check_against_one_process(run: Path, alone: Path) -> None:
    """Equal within rounding, in single precision, with the fused kernels."""
    command = [sys.executable, *TRAIN, "digits", *DIALS, "--checkpoint-every", "30", "--out", str(alone)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (alone, run))
    for name, tensor in ours.items():
        assert float((tensor - theirs[name]).abs().max()) < 1e-4, name
    for mine, their in zip(told(alone), told(run), strict=True):
        assert (mine["epoch"], mine["step"]) == (their["epoch"], their["step"])
        assert float(mine["train_loss"]) == pytest.approx(float(their["train_loss"]), abs=1e-4)


def test_the_script_for_slurm_is_bash() -> None:
    script = Path(__file__).parents[2] / "docs" / "slurm" / "train.sbatch"
    subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["train", "digits", "--batch-size", "1", "--out", "never"],
            "error: --batch-size: 2 ranks, and each batch has 1 image\n"
            "  expected: batches with an image for each rank at least\n",
        ),
        (
            ["compare", "digits"],
            "error: torchrun: `linewise compare` was started by torchrun, once for each rank\n"
            "  expected: `linewise train`: ranks train one network together\n"
            "  to mend:  linewise compare … without torchrun\n",
        ),
        (["train", "digits", "--epoch", "3"], "No such option: --epoch"),
    ],
)
def test_what_cannot_be_is_refused_once(arguments: list[str], message: str, tmp_path: Path) -> None:
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        "-m",
        "linewise",
    ]
    said = subprocess.run([*launcher, *arguments], capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert said.returncode == 1  # torchrun's own; the ranks end with 2
    assert said.stderr.count("error: ") - said.stderr.count("rank 1: error: ") == message.count("error: ")
    assert message in said.stderr
    assert "exitcode  : 2" in said.stderr
    assert 'File "' not in "".join(line for line in said.stderr.splitlines() if "linewise" in line)
    assert list(tmp_path.iterdir()) == []


def test_other_images_are_refused_by_all_ranks_and_nothing_is_left(tmp_path: Path) -> None:
    script = tmp_path / "each.sh"
    script.write_text(
        f"exec {sys.executable} -m linewise train digits --images $((300 - 20 * RANK)) --out {tmp_path / 'run'}\n"
    )
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python"]
    said = subprocess.run([*launcher, "bash", script], capture_output=True, text=True, timeout=300)
    assert "\nerror: digits: 1 rank with other images than here\n" in said.stderr
    assert "\nrank 1: error: digits: other images than on rank 0 (fingerprint " in said.stderr
    assert said.stderr.count("  expected: the same images on every machine\n") == 2
    assert "exitcode  : 3" in said.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["each.sh"]

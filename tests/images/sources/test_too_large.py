"""Files that are read whole and do not fit in memory are refused, not read until the system kills the process."""

from __future__ import annotations

import numpy as np
import pytest

from linewise.foundations import memory
from linewise.images import load

REST = (
    "\n  expected: a file that fits in memory, as these are read whole"
    "\n  to mend:  give fewer images, or the same ones as a folder of class folders, which is read from disk"
)


@pytest.fixture(autouse=True)
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 1000)


def test_idx(idx_folder, refusal) -> None:
    assert refusal(lambda: load(idx_folder())) == (
        "DIR/small/train-images-idx3-ubyte.gz: 40×6×5 values of 1 byte need at least 2.4 kB of memory, "
        "1.0 kB are free" + REST
    )


def test_npz(tmp_path, refusal) -> None:
    np.savez_compressed(tmp_path / "x.npz", images=np.zeros((50, 5, 5), np.uint8), labels=np.arange(50) % 2)
    assert refusal(lambda: load(tmp_path / "x.npz")) == (
        "DIR/x.npz: its images need at least 1.4 kB of memory, 1.0 kB are free" + REST
    )


def test_csv(tmp_path, refusal) -> None:
    (tmp_path / "x.csv").write_text("".join(f"{i % 2},{i},1,2,3\n" for i in range(200)))
    assert refusal(lambda: load(tmp_path / "x.csv")) == (
        "DIR/x.csv: its numbers need at least 2.3 kB of memory, 1.0 kB are free" + REST
    )

"""What lies on disk after a file was replaced, and what was flushed there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from linewise.foundations.atomic import write_json


def test_json_is_for_people(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"class": "猫", "sizes": [1, 2]})
    assert (tmp_path / "x.json").read_bytes() == '{\n "class": "猫",\n "sizes": [\n  1,\n  2\n ]\n}\n'.encode()


@pytest.mark.skipif(os.name == "nt", reason="folders cannot be flushed there")
def test_the_file_then_its_name_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = []

    def fsync(descriptor: int, real=os.fsync) -> None:
        flushed.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_json(tmp_path / "x.json", {})
    assert flushed == ["file", "folder"]

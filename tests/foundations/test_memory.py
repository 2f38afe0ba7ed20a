"""What is free: read from the files in which the system says it, of machines and of control groups."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from linewise.foundations import memory
from linewise.foundations.amounts import parse_bytes, write_bytes
from linewise.foundations.errors import ConfigError
from linewise.foundations.memory import available_bytes, in_memory_limit


def test_no_more_than_what_the_machine_has() -> None:
    assert 0 < available_bytes() <= 1.1 * psutil.virtual_memory().total


def test_a_control_group_of_either_version_limits_it(tmp_path: Path) -> None:
    def group(name: str, **files: str) -> None:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / file.replace("__", ".")).write_text(text)

    membership = tmp_path / "cgroup"
    membership.write_text("12:cpu,cpuacct:/a\n4:memory:/jobs/mine\n0::/user/mine\n")
    assert memory._of_groups(membership, tmp_path / "fs") == []
    stat = "cache 900\ntotal_inactive_file 300\n"
    group(
        "fs/memory/jobs/mine", memory__limit_in_bytes="5000\n", memory__usage_in_bytes="1000\n", memory__stat=stat
    )
    group("fs/memory", memory__limit_in_bytes="9000\n", memory__usage_in_bytes="8000\n")
    group("fs/user", memory__max="700\n", memory__current="600\n", memory__stat="inactive_file 50\n")
    group("fs/user/mine", memory__max="max\n", memory__current="600\n")
    assert sorted(memory._of_groups(membership, tmp_path / "fs")) == [150, 1000, 4300]
    assert memory._of_groups(tmp_path / "nowhere", tmp_path) == []


def test_images_take_a_quarter_of_it_or_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 4000)
    monkeypatch.delenv("LINEWISE_IN_MEMORY", raising=False)
    assert in_memory_limit() == 1000
    monkeypatch.setenv("LINEWISE_IN_MEMORY", "1.5 GiB")
    assert in_memory_limit() == 3 * 2**29
    monkeypatch.setenv("LINEWISE_IN_MEMORY", "much")
    with pytest.raises(ConfigError) as caught:
        in_memory_limit()
    assert str(caught.value) == (
        "LINEWISE_IN_MEMORY: 'much'\n  expected: an amount of bytes such as 2G, 500MB or 1.5GiB"
    )


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("7", 7), ("7B", 7), ("2k", 2000), ("2KiB", 2048), ("0.5t", 5 * 10**11)]
)
def test_bytes_as_people_write_them(text: str, number: int) -> None:
    assert parse_bytes(text, "") == number


def test_bytes_as_they_are_shown() -> None:
    assert [write_bytes(n) for n in (0, 999, 1000, 2_500_000, 3 * 10**9, 4 * 10**12)] == [
        "0 B", "999 B", "1.0 kB", "2.5 MB", "3.0 GB", "4.0 TB",
    ]  # fmt: skip

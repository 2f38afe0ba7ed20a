"""Journals torn anywhere, addresses of any kind, and passwords that stay secret."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from linewise.foundations.errors import ConfigError, DataError
from linewise.study.tuning.storage import (
    mend_journal,
    open_storage,
    parse_address,
    public_name,
    reach,
    told_as_storage,
)

RECORDS = [json.dumps({"op_code": i, "worker_id": "w", "text": "é\u2028"}, ensure_ascii=False) for i in range(5)]
WHOLE = "".join(f"{record}\n" for record in RECORDS).encode()


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, len(WHOLE)), garbage=st.binary(max_size=20).filter(lambda b: b"\n" not in b))
def test_a_journal_cut_anywhere_keeps_its_whole_records(
    tmp_path_factory: pytest.TempPathFactory, cut: int, garbage: bytes
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.log"
    path.write_bytes(WHOLE[:cut] + garbage)
    kept = WHOLE[: WHOLE[:cut].rfind(b"\n") + 1]
    assert mend_journal(path) == (kept != WHOLE[:cut] + garbage)
    assert path.read_bytes() == kept
    assert not mend_journal(path)


def test_damage_before_the_end_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    path.write_bytes(b"{}\n[1]\n{}\n")
    with pytest.raises(DataError, match="line 2 of 3 is damaged"):
        mend_journal(path)
    assert not mend_journal(tmp_path / "none.log")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("trials.db", "not a database's address\n"
         "  expected: postgresql://USER:PASSWORD@HOST/DATABASE, or sqlite:///FILE"),
        ("postgresql://me:ge@heim@h/d", "more than one @ in the address\n"
         "  expected: postgresql://USER:PASSWORD@HOST/DATABASE\n"
         "  to mend:  write an @ of user or password as %40"),
        ("postgresql://me:***@h/d", "*** stands where a password was hidden\n"
         "  expected: postgresql://USER:PASSWORD@HOST/DATABASE\n  to mend:  put the password back"),
        ("mysql://me:geheim@h/d", "an address that begins with mysql:\n"
         "  expected: postgresql://USER:PASSWORD@HOST/DATABASE, or sqlite:///FILE"),
        ("postgresql://me:geheim@h", "no database in the address\n"
         "  expected: postgresql://USER:PASSWORD@HOST/DATABASE, or sqlite:///FILE"),
        ("postgresql://h:port/d", "not a database's address\n"
         "  expected: postgresql://USER:PASSWORD@HOST/DATABASE, or sqlite:///FILE"),
    ],
)  # fmt: skip
def test_addresses_that_are_none(url: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_address(url)
    assert str(caught.value) == f"--storage: {message}"


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    url = "postgresql://me:geheim@127.0.0.1:9/trials"
    with pytest.raises(ConfigError) as caught, told_as_storage(url):
        open_storage(tmp_path / "journal.log", url, print)
    said = str(caught.value)
    assert said.startswith("--storage: postgresql://127.0.0.1:9/trials cannot be used (connection failed: ")
    assert said.endswith(
        ")\n  to mend:  see that the server runs and that host, user, password and database are right; "
        "the same command then goes on"
    )
    assert "geheim" not in said


@pytest.mark.parametrize("file", ["nowhere/t.db", "text.db"])
def test_a_file_that_is_no_database(file: str, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database\n" * 1000)
    with pytest.raises(ConfigError) as caught:
        reach(f"sqlite:///{tmp_path}/{file}")
    assert str(caught.value).startswith(f"--storage: sqlite:///{tmp_path}/{file} cannot be used (")
    assert str(caught.value).endswith(
        ")\n  to mend:  see that its folder is there and can be written, and that the file is a database of Optuna's; "
        "the same command then goes on"
    )


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from linewise.study.tuning import storage

    with monkeypatch.context() as patch:
        patch.setattr(storage, "find_spec", lambda name: None)
        with pytest.raises(ConfigError) as caught:
            parse_address("postgresql://h/d")
    assert str(caught.value) == (
        "a PostgreSQL storage needs the package 'psycopg', which is not installed\n"
        "  to mend:  pip install 'linewise[storage]'"
    )
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError) as caught:
        parse_address("postgresql://h/d")
    assert str(caught.value) == (
        "tuning needs the package 'optuna', which is not installed\n  to mend:  pip install 'linewise[tune]'"
    )


def test_the_public_name_has_no_user_and_no_password() -> None:
    assert public_name("postgresql://me:p%40ss@db:5432/t?password=x") == "postgresql://db:5432/t"
    assert public_name("sqlite:////data/t.db") == "sqlite:////data/t.db"


@pytest.mark.parametrize(
    ("told", "tries"), [("table studies already exists", 2), ("unable to open database file", 1)]
)
def test_two_that_make_the_tables_at_once_get_in_each_other_s_way_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, tries: int
) -> None:
    """What another launcher made in the meantime is used; a database that cannot be opened is told at once."""
    tried, real = [], optuna.storages.RDBStorage

    def first(*arguments: Any, **named: Any) -> Any:
        tried.append(arguments)
        if len(tried) == 1:
            raise OperationalError("CREATE TABLE studies", {}, Exception(told))
        return real(*arguments, **named)

    monkeypatch.setattr(optuna.storages, "RDBStorage", first)
    with contextlib.suppress(ConfigError):
        reach(f"sqlite:///{tmp_path / 't.db'}")
    assert len(tried) == tries

"""Where trials are kept: a journal in the study's folder, or a database that several machines share."""

from __future__ import annotations

import json
import platform
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from linewise.foundations.atomic import replace_file
from linewise.foundations.errors import ConfigError, DataError, missing_extra
from linewise.foundations.passwords import hide_password, mask
from linewise.study.tuning import library

SCHEMES = ("postgresql", "postgres", "sqlite")
EXAMPLE = "postgresql://USER:PASSWORD@HOST/DATABASE"
FORMS = f"{EXAMPLE}, or sqlite:///FILE"
CONNECT_S, ATTEMPTS = 10, 5


@dataclass(frozen=True)
class Storage:
    """An open storage.

    Attributes:
        optuna: Optuna's storage object.
        name: what may be written down: `journal.log`, or the database without user and password.
        launcher: who claims trials here; the same for one study folder on one machine, so that a launcher knows
            the trials that it left when it was killed.
        shared: whether other launchers may be at work on the same trials.
    """

    optuna: Any
    name: str
    launcher: str
    shared: bool

    def close(self) -> None:
        """Close what is open towards a database."""
        if self.shared:
            self.optuna.remove_session()
            self.optuna.engine.dispose()


def open_storage(journal: Path, url: str | None, warn: Callable[[str], None]) -> Storage:
    """The journal, mended where it was torn, or the database at `url`.

    Args:
        journal: the study's journal file; nobody else may be writing it.
        warn: told about what was mended.

    Raises:
        ConfigError: a URL that is none, a server that cannot be reached, or a missing package.
        DataError: a journal that is damaged before its end.
    """
    optuna = library.optuna()
    where = f"{platform.node()}:{journal.parent.parent.resolve()}"
    launcher = sha256(where.encode()).hexdigest()[:16]
    if url:
        return Storage(_open_database(url), public_name(url), launcher, shared=True)
    journal.parent.mkdir(parents=True, exist_ok=True)
    backend = optuna.storages.journal
    # Between the threads of this process; the study's own lock keeps others away. Optuna's locks are files: where
    # one cannot be removed, because the disk fails, it waits for it without end.
    lock = threading.Lock()
    Path(f"{journal}.lock").unlink(missing_ok=True)  # of a launcher that was killed, which used such a file
    if mend_journal(journal):
        warn(f"{journal.name}: its last record was torn when a process was killed; it is dropped")
    storage = optuna.storages.JournalStorage(backend.JournalFileBackend(str(journal), lock_obj=lock))
    return Storage(storage, journal.name, launcher, shared=False)


def mend_journal(path: Path) -> bool:
    """Drop a last record that is not whole; whether there was one.

    Raises:
        DataError: a record that is damaged and not the last.
    """
    if not path.exists():
        return False
    whole = path.read_bytes()
    kept, lines = 0, re.findall(rb"[^\n]*\n|[^\n]+", whole)
    for number, line in enumerate(lines, start=1):
        if not (line.endswith(b"\n") and _is_record(line)):
            if number < len(lines):
                raise DataError(
                    f"line {number} of {len(lines)} is damaged",
                    where=str(path),
                    expected="one JSON object per line",
                    mend="restore the file, or remove it: the trials are then run again",
                )
            with replace_file(path) as file:
                file.write(whole[:kept])
            return True
        kept += len(line)
    return False


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def public_name(url: str) -> str:
    """The database without user, password and options.

    >>> public_name("postgresql://me:secret@db.example:5432/trials?sslmode=require")
    'postgresql://db.example:5432/trials'
    """
    from urllib.parse import urlsplit

    parts = urlsplit(hide_password(url))  # first: a password may hold what ends the host's part
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def parse_address(url: str) -> Any:
    """SQLAlchemy's form of a database's address, with the driver that is tested.

    Raises:
        ConfigError: no such address, or a missing package.
    """
    library.optuna()
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigError("not a database's address", where="--storage", expected=FORMS) from None
    scheme = address.drivername.partition("+")[0]
    if scheme not in SCHEMES or not address.database:
        found = "no database in the address" if scheme in SCHEMES else f"an address that begins with {scheme}:"
        raise ConfigError(found, where="--storage", expected=FORMS)
    if scheme == "sqlite":
        return address
    if "@" in (address.host or ""):
        raise ConfigError(
            "more than one @ in the address", where="--storage", expected=EXAMPLE,
            mend="write an @ of user or password as %40",
        )  # fmt: skip
    if address.password == "***":
        raise ConfigError(
            "*** stands where a password was hidden", where="--storage", expected=EXAMPLE,
            mend="put the password back",
        )  # fmt: skip
    if find_spec("psycopg") is None:
        raise missing_extra("psycopg", "storage", "a PostgreSQL storage")
    return address.set(drivername="postgresql+psycopg")


def reach(url: str) -> None:
    """Have a look at a database, before anything is written.

    Raises:
        ConfigError: a URL that is none, a server that cannot be reached, or a missing package.
    """
    with told_as_storage(url), closing(Storage(_open_database(url), public_name(url), "", shared=True)):
        pass


def _open_database(url: str) -> Any:
    optuna = library.optuna()
    from sqlalchemy import exc

    address = parse_address(url)
    options: dict[str, Any] = {"pool_pre_ping": True}
    if address.drivername != "sqlite":
        options["connect_args"] = {"connect_timeout": CONNECT_S}
    # Optuna takes the text for a template.
    text = address.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return optuna.storages.RDBStorage(text, engine_kwargs=options)
        except (exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            # Two launchers that make the tables at the same moment get in each other's way once.
            unreachable = isinstance(error, exc.OperationalError) and "already exists" not in str(error)
            if unreachable or attempt == ATTEMPTS:
                raise
            time.sleep(0.2 * attempt)
    raise AssertionError("not reached")


@contextmanager
def told_as_storage(url: str | None) -> Iterator[None]:
    """Tell of a database that does not answer, at the beginning or in the middle; its secrets are not said.

    Raises:
        ConfigError: instead of what database and driver raise.
    """
    try:
        yield
    except Exception as error:
        if not url or type(error).__module__.partition(".")[0] not in ("sqlalchemy", "psycopg", "optuna"):
            raise
        raise _unusable(url, error) from None


def _unusable(url: str, error: Exception) -> ConfigError:
    cause = getattr(error, "orig", None) or error.__cause__ or error
    cause = getattr(cause, "orig", None) or cause
    said = next((line.strip() for line in str(cause).splitlines() if line.strip()), type(cause).__name__)
    there = "the server runs and that host, user, password and database are right"
    if url.startswith("sqlite"):
        there = "its folder is there and can be written, and that the file is a database of Optuna's"
    return ConfigError(
        f"{public_name(url)} cannot be used ({mask(said, url)})",
        where="--storage",
        mend=f"see that {there}; the same command then goes on",
    )

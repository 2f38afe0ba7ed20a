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


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`: of the system, or of the package pgserver."""
    for name in ("initdb", "pg_ctl"):
        if found := shutil.which(name):
            folder = Path(found).resolve().parent
            if (folder / "initdb").exists() and (folder / "postgres").exists():
                return folder
    spec = find_spec("pgserver")
    folder = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None
    return folder if folder and (folder / "initdb").exists() else None


def reason_for_none() -> str:
    """Why there can be no server here; empty where there can."""
    if find_spec("psycopg") is None:
        return "PostgreSQL tests left out: the package psycopg is not installed (pip install 'linewise[storage]')"
    if binaries() is None:
        return "PostgreSQL tests left out: no initdb and postgres on PATH, and no package pgserver"
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

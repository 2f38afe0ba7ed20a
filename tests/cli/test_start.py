"""Starting: quick, quiet, without a network."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

VERBS = ["compare", "tune", "train", "calibrate", "evaluate", "predict", "models", "readings", "report", "data"]


def test_help_comes_within_half_a_second() -> None:
    taken = []
    for _ in range(7):
        started = time.perf_counter()
        result = subprocess.run(
            [sys.executable, "-m", "linewise", "--help"], capture_output=True, text=True, check=True
        )
        taken.append(time.perf_counter() - started)
    assert all(verb in result.stdout for verb in VERBS)
    assert min(taken) < 0.5, taken


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_loads_nothing_heavy(verb: str) -> None:
    code = (
        "import sys; sys.argv = ['linewise', %r, '--help']\n"
        "from linewise.__main__ import main\n"
        "try: main()\nexcept SystemExit as e: assert not e.code\n"
        "heavy = {'torch', 'numpy', 'scipy', 'sklearn', 'PIL', 'altair'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = subprocess.run([sys.executable, "-c", code % verb], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "Usage: linewise" in result.stdout


def test_the_package_imports_nothing_heavy() -> None:
    code = (
        "import linewise, sys; assert not {'torch', 'numpy'} & set(sys.modules); print(sorted(linewise.__all__))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "create_model" in result.stdout


def test_every_public_name_is_there() -> None:
    import linewise

    for name in linewise.__all__:
        assert getattr(linewise, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'compere'"):
        linewise.compere  # noqa: B018


def test_version(linewise) -> None:
    from importlib.metadata import version

    assert linewise("--version").out == f"linewise {version('linewise')}\n"


def test_sockets_are_blocked_in_tests() -> None:
    import socket

    from pytest_socket import SocketConnectBlockedError

    with (
        pytest.warns(UserWarning, match="A test tried to use"),
        pytest.raises(SocketConnectBlockedError),
        socket.socket() as s,
    ):
        s.connect(("192.0.2.1", 80))

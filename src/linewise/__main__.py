"""The command `linewise`, also as `python -m linewise`."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from linewise.foundations.disk import disk_error, is_of_disk
from linewise.foundations.errors import LinewiseError


def main() -> None:
    """Parse the command line, run, and turn every error for users into a message and an exit code.

    Exit codes: 0 done, 2 usage or configuration, 3 bad data, 4 the disk is full or fails, 130 interrupted,
    141 nobody reads on, 143 terminated.
    """
    signal.signal(signal.SIGTERM, _terminated)
    try:
        try:
            _run()
        except SystemExit as end:
            if end.code == 130:  # what Typer makes of an interrupt
                _be_leaving()
            raise
    except KeyboardInterrupt:  # a second one, while the first was being obeyed
        _be_leaving()
        sys.exit(130)


def _run() -> None:
    from linewise.cli.app import app
    from linewise.cli.ranks import hush, wait_for_the_first

    try:
        hush()
        app(prog_name="linewise")
    except LinewiseError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        wait_for_the_first()
        sys.exit(error.exit_code)
    except SystemExit as end:
        if end.code == 1 and isinstance(end.__context__, BrokenPipeError):  # Typer has caught it
            end.code = 141
        if end.code == 2:  # what Typer makes of usage errors
            wait_for_the_first()
        raise
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        if not is_of_disk(error):
            raise
        told = disk_error(error, Path.cwd(), "then the same command again")
        print(f"error: {told}", file=sys.stderr)  # noqa: T201
        sys.exit(told.exit_code)


def _terminated(signum: int, frame: FrameType | None) -> None:
    sys.exit(143)


def _be_leaving() -> None:
    """Ctrl-C pressed once more changes nothing about the exit code, not even while Python takes itself apart."""
    signal.signal(signal.SIGINT, _leave)
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)


def _leave(signum: int, frame: FrameType | None) -> None:
    os._exit(130)


if __name__ == "__main__":
    main()

"""The command `linewise`, also as `python -m linewise`."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from linewise.foundations.errors import LinewiseError


def main() -> None:
    """Parse the command line, run, and turn every error for users into a message and an exit code.

    Exit codes: 0 done, 2 usage or configuration, 3 bad data, 130 interrupted, 141 nobody reads on, 143 terminated.
    """
    from linewise.cli.app import app

    signal.signal(signal.SIGTERM, _terminated)
    try:
        app(prog_name="linewise")
    except LinewiseError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except SystemExit as end:
        if end.code == 1 and isinstance(end.__context__, BrokenPipeError):  # Typer has caught it
            end.code = 141
        raise
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)


def _terminated(signum: int, frame: FrameType | None) -> None:
    sys.exit(143)


if __name__ == "__main__":
    main()

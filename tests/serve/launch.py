"""Start a server with settings that the command line has no options for: SETTINGS DELAY_S RUN…"""

from __future__ import annotations

import json
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from linewise.__main__ import _terminated
from linewise.serve import server
from linewise.serve.app import create_app
from linewise.serve.desk import Desk
from linewise.serve.settings import Settings


def main() -> None:
    signal.signal(signal.SIGTERM, _terminated)
    settings = Settings(**{"port": 0, **json.loads(sys.argv[1])})
    delay_s = float(sys.argv[2])
    desk = Desk.open([Path(path) for path in sys.argv[3:]])
    if delay_s:
        for name, served in desk.models.items():
            slow = SimpleNamespace(
                preprocessing=served.answerer.preprocessing,
                class_names=served.answerer.class_names,
                probabilities=_slowly(served.answerer.probabilities, delay_s),
            )
            desk.models[name] = replace(served, answerer=slow)  # type: ignore[arg-type]
    listener = server.listen(settings)
    settings = replace(settings, port=listener.getsockname()[1])
    sys.stdout.write(f"{', '.join(desk.models)} at {server.address(settings)} .\n")
    sys.stdout.flush()
    try:
        server.serve(create_app(desk, settings), listener)
    except KeyboardInterrupt:
        sys.exit(130)


def _slowly(call, delay_s):
    def slow(images_NHWC: np.ndarray) -> np.ndarray:
        time.sleep(delay_s)
        return call(images_NHWC)

    return slow


main()

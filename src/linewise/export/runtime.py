"""ONNX Runtime, kept from reporting home.

Its builds of 2026 send events about every session to their maker unless this variable is set before it is loaded
(its Privacy.md). Linewise sends nothing anywhere; who wants to take part sets it to 0.
"""

from __future__ import annotations

import os
from typing import Any

from linewise.foundations.errors import missing_extra

SILENCE = "ORT_DISABLE_TELEMETRY"


def runtime(purpose: str) -> Any:
    """The package onnxruntime.

    Raises:
        ConfigError: it is not installed; `purpose` says what needs it.
    """
    os.environ.setdefault(SILENCE, "1")
    try:
        import onnxruntime
    except ImportError:
        raise missing_extra("onnxruntime", "onnx", purpose) from None
    return onnxruntime

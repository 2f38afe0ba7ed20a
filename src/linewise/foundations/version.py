"""The version that is installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


def version() -> str:
    """Such as "0.1.0"; "unknown" when run from a checkout that is not installed."""
    try:
        return installed("linewise")
    except PackageNotFoundError:
        return "unknown"

"""Optuna, loaded when it is needed."""

from __future__ import annotations

from typing import Any

from linewise.foundations.errors import missing_extra


def optuna() -> Any:
    """The package, told to speak of problems only.

    Raises:
        ConfigError: the extra `tune` is not installed.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise missing_extra(str(error.name), "tune", "tuning") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna

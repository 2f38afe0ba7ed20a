"""Linewise reads images the way you read a page.

It trains recurrent and convolutional networks on your images at matched cost and says which serves you better.
Everything is loaded when it is first used, so that `import linewise` is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linewise.api import Study, calibrate, compare, tune
    from linewise.api.estimator import ReaderClassifier
    from linewise.api.sharing import pull, push
    from linewise.foundations.errors import ConfigError, DataError, LinewiseError
    from linewise.models import cost, create_model, list_models
    from linewise.models.saved import load_model

    __version__: str

_WHERE = {
    "ConfigError": "linewise.foundations.errors",
    "DataError": "linewise.foundations.errors",
    "LinewiseError": "linewise.foundations.errors",
    "ReaderClassifier": "linewise.api.estimator",
    "Study": "linewise.api",
    "calibrate": "linewise.api",
    "compare": "linewise.api",
    "cost": "linewise.models",
    "create_model": "linewise.models",
    "list_models": "linewise.models",
    "load_model": "linewise.models.saved",
    "pull": "linewise.api.sharing",
    "push": "linewise.api.sharing",
    "tune": "linewise.api",
}

__all__ = [
    "ConfigError",
    "DataError",
    "LinewiseError",
    "ReaderClassifier",
    "Study",
    "__version__",
    "calibrate",
    "compare",
    "cost",
    "create_model",
    "list_models",
    "load_model",
    "pull",
    "push",
    "tune",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "__version__":
        return import_module("linewise.foundations.version").version()
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'linewise' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

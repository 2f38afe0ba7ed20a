"""Options from a TOML file, with those on the command line going before them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import typer

from linewise.cli.options import was_typed
from linewise.foundations.errors import ConfigError, unknown_name


def merge(typed: dict[str, Any], config: Path | None, context: typer.Context) -> dict[str, Any]:
    """Options as typed, completed from a file.

    Args:
        typed: all options by name, defaults included.
        config: a TOML file whose keys are option names (`-` or `_`), or None.
        context: tells which options were really typed.

    Raises:
        ConfigError: the file cannot be read, or a key is unknown (with the nearest name) or of the wrong type.
    """
    if config is None:
        return typed
    try:
        read = tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", where=str(config)) from None
    except ValueError as error:  # no TOML, no UTF-8, or a number of thousands of digits
        raise ConfigError(f"not TOML ({error})", where=str(config)) from None
    except RecursionError:
        raise ConfigError("not TOML (lists in lists without end)", where=str(config)) from None
    merged = dict(typed)
    parameters: dict[str | None, Any] = {p.name: p for p in context.command.params}
    for key, value in read.items():
        name = key.replace("-", "_")
        if name not in typed or name == "config":
            raise unknown_name("key", key, sorted(set(typed) - {"config"}), where=str(config))
        if was_typed(context, name):
            continue
        text = ",".join(map(str, value)) if isinstance(value, list) else value
        try:
            merged[name] = parameters[name].process_value(context, text if isinstance(text, bool) else str(text))
        except Exception as error:
            found = getattr(error, "message", str(error))
            raise ConfigError(f"{key} = {value!r}", where=str(config), expected=found) from None
    return merged

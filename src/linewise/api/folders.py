"""Where studies go, and what must be installed for what is asked."""

from __future__ import annotations

from pathlib import Path

from linewise.foundations.errors import missing_extra

STUDIES = Path("studies")

NEEDS = {
    "report": (("altair", "jinja2", "vl_convert"), "the report"),
    "tune": (("optuna",), "tuning"),
    "serve": (("fastapi", "prometheus_client", "python_multipart", "uvicorn"), "serving"),
}
"""Extra → its packages, and what needs them."""


def require(extra: str) -> None:
    """Find out before hours of training that something could not be done.

    Raises:
        ConfigError: the extra is not installed.
    """
    from importlib.util import find_spec

    packages, purpose = NEEDS[extra]
    for package in packages:
        if find_spec(package) is None:
            raise missing_extra(package, extra, purpose)


def fresh_folder(name: str) -> Path:
    """A new folder under `studies/`, such as `studies/digits` or `studies/digits-2`."""
    stem = _stem(name)
    candidates = [STUDIES / stem, *(STUDIES / f"{stem}-{i}" for i in range(2, 10_000))]
    return next(path for path in candidates if not path.exists())


def latest_folder(name: str) -> Path | None:
    """The newest study of these data under `studies/`, for `--resume`."""
    stem = _stem(name)
    found = [*STUDIES.glob(f"{stem}/study.json"), *STUDIES.glob(f"{stem}-[0-9]*/study.json")]
    newest = max(found, key=lambda path: path.stat().st_mtime, default=None)
    return newest.parent if newest else None


def _stem(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip("-.") or "study"

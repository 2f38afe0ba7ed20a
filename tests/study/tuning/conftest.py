"""One undisturbed tuning, which disturbed ones must equal."""

from __future__ import annotations

from typing import Any

import pytest

import launchers
from linewise.images import ImageSet, SplitOptions, load
from linewise.study.comparison import run_tuning
from linewise.study.config import make_config
from linewise.study.executors import InProcess


@pytest.fixture(scope="package")
def digits() -> ImageSet:
    return load("digits", splits=SplitOptions(images=200))


@pytest.fixture(scope="package")
def undisturbed(digits: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("undisturbed") / "s"
    return launchers.ends(run_tuning(digits, make_config(**launchers.DIALS), path, InProcess()))

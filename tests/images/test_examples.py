"""Examples in docstrings and in the documentation are true; no image code needs torch."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import linewise.images

MODULES = [
    module.name
    for module in pkgutil.walk_packages(linewise.images.__path__, "linewise.images.")
    if not module.name.endswith((".batches", ".augment"))
]


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_documentation():
    page = Path(__file__).parents[2] / "docs" / "data.md"
    assert doctest.testfile(str(page), module_relative=False).failed == 0


def test_images_are_read_without_torch():
    code = (
        "import sys, linewise.images as i; i.load('digits');"
        f"import importlib; [importlib.import_module(m) for m in {MODULES!r}];"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""The size that is chosen when none is asked for."""

from __future__ import annotations

from collections import Counter

import pytest

from linewise.images import ImageOptions
from linewise.images.checking.findings import Findings
from linewise.images.files.geometry import settle


@pytest.mark.parametrize(
    ("sizes", "chosen", "remark"),
    [
        ({(28, 28): 9}, (28, 28), None),
        ({(27, 31): 9}, (27, 31), None),
        ({(448, 300): 9}, (224, 152), "images of 448×300: brought to 224×152"),
        ({(32, 32): 9, (500, 300): 2}, (32, 32), "images of 2 sizes, from 32×32 to 500×300: brought to 32×32"),
        (
            {(21, 33): 1, (22, 34): 1, (40, 60): 1},
            (24, 32),
            "images of 3 sizes, from 21×33 to 40×60: brought to 24×32",
        ),
        (
            {(300, 400): 2, (600, 800): 2, (640, 800): 1},
            (48, 64),
            "images of 3 sizes, from 300×400 to 640×800: brought to 48×64",
        ),
    ],
)
def test_chosen_size(sizes, chosen, remark):
    findings = Findings()
    shape = settle(Counter(sizes), False, ImageOptions(), findings)
    assert (shape.height, shape.width) == chosen
    said = [text.removesuffix("; choose another with --size") for _, text in findings.warnings]
    assert said == ([remark] if remark else [])

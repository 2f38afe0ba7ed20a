"""Linewise from Python: the same study as on the command line."""

from linewise.api.calibrating import calibrate
from linewise.api.comparing import compare, tune
from linewise.api.folders import STUDIES, fresh_folder, latest_folder
from linewise.api.showing import demo_study, shown
from linewise.api.study import Study

__all__ = [
    "STUDIES",
    "Study",
    "calibrate",
    "compare",
    "demo_study",
    "fresh_folder",
    "latest_folder",
    "shown",
    "tune",
]

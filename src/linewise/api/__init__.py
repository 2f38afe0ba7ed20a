"""Linewise from Python: the same study as on the command line."""

from linewise.api.calibrating import calibrate
from linewise.api.comparing import compare, tune
from linewise.api.folders import STUDIES, fresh_folder, latest_folder
from linewise.api.study import Study

__all__ = ["STUDIES", "Study", "calibrate", "compare", "fresh_folder", "latest_folder", "tune"]

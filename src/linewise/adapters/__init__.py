"""Runs told to experiment trackers: TensorBoard and MLflow. From records on disk; no torch.

A target is written `tensorboard:FOLDER` or `mlflow:URI`.
"""

from linewise.adapters.live import telling
from linewise.adapters.log import log
from linewise.adapters.tracker import Tracker, open_tracker

__all__ = ["Tracker", "log", "open_tracker", "telling"]

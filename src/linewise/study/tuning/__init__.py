"""Settings chosen per network before the final runs: equal trials for all, on validation images only."""

from linewise.study.tuning.tune import tune

__all__ = ["tune"]

"""Which images are easy? Agreement, learning, forgetting, reading depth; accuracy on easy and hard."""

from linewise.analysis.difficulty.verdict import Difficulty, difficulty

__all__ = ["Difficulty", "difficulty"]

"""Which images are easy? Agreement of the panel, learning, forgetting, reading depth; accuracy on easy and hard."""

from linewise.analysis.difficulty.verdict import Difficulty, difficulty

__all__ = ["Difficulty", "difficulty"]

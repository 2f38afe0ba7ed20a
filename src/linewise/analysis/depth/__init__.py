"""Reading depth: after how many steps a reader's answer never changes again, and where confusions happen."""

from linewise.analysis.depth.depth import Depth, depth
from linewise.analysis.depth.measures import reading_depth

__all__ = ["Depth", "depth", "reading_depth"]

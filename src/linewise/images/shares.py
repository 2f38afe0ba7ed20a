"""How a batch is divided among ranks that train one network together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Share:
    """One rank's part of whatever is divided.

    Args:
        rank: from 0.
        world: how many ranks there are.
    """

    rank: int = 0
    world: int = 1

    def of(self, number: int) -> slice:
        """Its part of so many things that lie side by side; parts differ by one at the most.

        >>> [Share(rank, 3).of(8) for rank in range(3)]
        [slice(0, 2, None), slice(2, 5, None), slice(5, 8, None)]
        """
        return slice(self.rank * number // self.world, (self.rank + 1) * number // self.world)


WHOLE = Share()
"""Of a process that trains alone."""

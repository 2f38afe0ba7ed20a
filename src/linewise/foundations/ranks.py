"""What torchrun tells the processes that it starts: who they are among those that train one network together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from linewise.foundations.errors import ConfigError

STARTED_BY_TORCHRUN = "TORCHELASTIC_RUN_ID"


@final
@dataclass(frozen=True)
class Ranks:
    """One process of those that torchrun started.

    Attributes:
        rank: its number among all of them, from 0.
        world: how many there are, on all machines.
        local_rank: its number on this machine, from 0.
        local_world: how many there are on this machine.
        restarts: how often torchrun had to begin again so far.
        most_restarts: how often it will at the most.
    """

    rank: int
    world: int
    local_rank: int
    local_world: int
    restarts: int = 0
    most_restarts: int = 0

    @property
    def begin_again(self) -> bool:
        """Whether torchrun does so when one of them is lost."""
        return self.restarts < self.most_restarts

    @property
    def is_first(self) -> bool:
        """It writes checkpoints and the record, and speaks for all."""
        return self.rank == 0


def ranks_of(environment: Mapping[str, str]) -> Ranks | None:
    """Who this process is; None where torchrun did not start it.

    Raises:
        ConfigError: torchrun's variables are not what it would set.
    """
    if STARTED_BY_TORCHRUN not in environment:
        return None
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    rank, world, local_rank, local_world = (_number(environment, name) for name in names)
    if not (rank < world and local_rank < local_world <= world):
        told = ", ".join(f"{name}={environment[name]}" for name in names)
        raise ConfigError(f"{told} do not go together", where="environment", mend="start it by torchrun")
    restarts, most = (
        _number(environment, f"TORCHELASTIC_{name}", "0") for name in ("RESTART_COUNT", "MAX_RESTARTS")
    )
    return Ranks(rank, world, local_rank, local_world, restarts, most)


def _number(environment: Mapping[str, str], name: str, default: str = "") -> int:
    text = environment.get(name, default)
    if not (text.isascii() and text.isdecimal()):
        raise ConfigError(
            f"{name}={text!r}", where="environment", expected="a whole number, as torchrun sets it",
            mend="start it by torchrun",
        )  # fmt: skip
    return int(text)

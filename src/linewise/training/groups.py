"""Ranks that train one network together: what they tell each other.

Numbers go over gloo, and over NCCL where networks are on CUDA devices.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import final

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from linewise.foundations.errors import ConfigError, LinewiseError
from linewise.foundations.ranks import Ranks
from linewise.images.shares import Share
from linewise.training.meeting import meet

PATIENCE = timedelta(minutes=30)
"""How long a rank waits for the others: one may still be reading its images."""


class RankLostError(LinewiseError):
    """Another rank is gone, so that this one cannot go on. Exit code 1."""

    exit_code = 1


@final
class Group:
    """The ranks, as one of them sees them. All of them must call the same in the same order.

    Attributes:
        share: its part of whatever is divided.
        asked_to_stop: one of them was, and all know.
    """

    def __init__(self, ranks: Ranks) -> None:
        self.ranks, self.share, self.asked_to_stop = ranks, Share(ranks.rank, ranks.world), False

    @property
    def is_first(self) -> bool:
        """It writes checkpoints and the record."""
        return self.ranks.is_first

    def use(self, device: str) -> None:
        """Where this rank computes; on CUDA devices each rank of a machine has one of its own.

        Raises:
            ConfigError: more ranks on this machine than devices.
        """
        if device == "cuda":
            if self.ranks.local_world > torch.cuda.device_count():
                raise ConfigError(
                    f"{self.ranks.local_world} ranks here, and {torch.cuda.device_count()} CUDA devices",
                    where="--nproc-per-node",
                    expected="a device for each rank",
                )
            torch.cuda.set_device(self.ranks.local_rank)

    def sum(self, tensor: Tensor) -> Tensor:
        """Add up in place what the ranks have; all get the same bits."""
        with losing():
            dist.all_reduce(tensor)
        return tensor

    def sum_later(self, tensor: Tensor) -> dist.Work:
        """The same, begun; `wait` ends it."""
        with losing():
            work = dist.all_reduce(tensor, async_op=True)
        assert work is not None
        return work

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """What each rank has, of the same shape, by rank."""
        found = [torch.empty_like(tensor) for _ in range(self.share.world)]
        with losing():
            dist.all_gather(found, tensor)
        return found

    def tell(self, payload: bytes) -> bytes:
        """What the first rank has; what the others have does not matter."""
        length = torch.tensor(len(payload))
        with losing():
            dist.broadcast(length, 0)
            told = torch.empty(int(length), dtype=torch.uint8)
            if self.is_first and payload:
                told = torch.frombuffer(bytearray(payload), dtype=torch.uint8)
            dist.broadcast(told, 0)
        return told.numpy().tobytes()

    def wait(self) -> None:
        """Until all are here."""
        self.sum(torch.zeros(1))

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """The first rank of each machine does something before its others do, such as decode images, once."""
        if self.ranks.local_rank:
            self.wait()
        yield
        if not self.ranks.local_rank:
            self.wait()


@contextmanager
def losing() -> Iterator[None]:
    """What torch raises when another rank is gone, as our own error.

    Raises:
        RankLostError: in its place.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and not any(name in str(error) for name in ("gloo", "NCCL")):
            raise
        why = re.sub(r"^\[[^\]]*\.cc:\d+\] ", "", str(error).strip().splitlines()[0]).partition(". ")[0]
        raise RankLostError(
            f"another rank was lost ({why})",
            mend="`torchrun --max-restarts N` goes on from the newest checkpoint by itself; without it, the same "
            "command does",
        ) from None


@contextmanager
def joined(ranks: Ranks) -> Iterator[Group]:
    """The group that torchrun's variables describe, while it lasts.

    Raises:
        RankLostError: a rank is gone, or never came.
    """
    nccl = torch.cuda.is_available() and dist.is_nccl_available()
    with losing():
        store, _, _ = next(rendezvous("env://", timeout=PATIENCE))
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if nccl else "gloo",
            store=meet(store, ranks.rank, ranks.world, PATIENCE),
            rank=ranks.rank,
            world_size=ranks.world,
            timeout=PATIENCE,
        )
    yield Group(ranks)
    dist.destroy_process_group()  # after an error it may wait for ranks that are gone; the process ends anyway

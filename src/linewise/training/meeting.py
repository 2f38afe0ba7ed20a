"""How ranks find each other again after torchrun began anew.

They meet in a store that torchrun keeps. It may still hold what ranks wrote that are gone by now, such as their
addresses; and machines count attempts differently. So those who are here now agree on a part of the store that
nobody has used.
"""

from __future__ import annotations

import json
import secrets
import time
from datetime import timedelta

from torch.distributed import DistNetworkError
from torch.distributed.distributed_c10d import PrefixStore, Store

POLL_S = 0.02
PLACE = "linewise"


def meet(store: Store, rank: int, world: int, patience: timedelta) -> Store:
    """A part of the store of their own for the ranks that are here now.

    Each leaves a random mark. The first rank invites the marks it finds to a fresh part, and anew when one of them
    changes; when all who were invited have answered, they go there.

    Args:
        patience: how long to wait for the others.

    Raises:
        RuntimeError: some did not come.
    """
    mark, deadline = secrets.token_hex(8), time.monotonic() + patience.total_seconds()
    store.set(f"{PLACE}/here/{rank}", mark)
    come, told = (_invite if rank == 0 else _accept), [""]
    while not come(store, rank, world, mark, told):
        if time.monotonic() > deadline:
            raise DistNetworkError(f"not all of {world} ranks came within {patience}")
        time.sleep(POLL_S)
    return PrefixStore(f"{PLACE}/{json.loads(told[0])['part']}", store)


def _invite(store: Store, rank: int, world: int, mark: str, told: list[str]) -> bool:
    here = [store.get(f"{PLACE}/here/{other}").decode() for other in range(world)]
    if not told[0] or json.loads(told[0])["here"] != here:
        told[0] = json.dumps({"part": secrets.token_hex(8), "here": here})
        store.set(f"{PLACE}/invited", told[0])
    part = json.loads(told[0])["part"]
    answered = all(store.check([f"{PLACE}/{part}/answer/{other}"]) for other in range(1, world))
    if answered:
        store.set(f"{PLACE}/{part}/go", "")
    return answered


def _accept(store: Store, rank: int, world: int, mark: str, told: list[str]) -> bool:
    told[0] = store.get(f"{PLACE}/invited").decode()
    invitation = json.loads(told[0])
    here, part = invitation["here"], invitation["part"]
    if len(here) != world or here[rank] != mark:
        return False
    store.set(f"{PLACE}/{part}/answer/{rank}", "")
    return store.check([f"{PLACE}/{part}/go"])

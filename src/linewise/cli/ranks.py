"""The command line in the processes that torchrun starts: the first one speaks for all."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from linewise.foundations.errors import ConfigError, LinewiseError
from linewise.foundations.orphans import end_with
from linewise.foundations.ranks import STARTED_BY_TORCHRUN, ranks_of

if TYPE_CHECKING:
    from linewise.training.groups import Group

ENDED_WITHIN_S = 10.0
"""torchrun ends all ranks of a machine within so long after one is gone; ranks whose torchrun is gone end too."""

_WAITED = threading.Event()


def hush() -> None:
    """Have only the first rank print, and after a restart not what it printed before.

    Raises:
        ConfigError: see `ranks_of`.
    """
    ranks = ranks_of(os.environ)
    if ranks and (ranks.restarts or not ranks.is_first):
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def wait_for_the_first() -> None:
    """Leave the first rank time to say what is wrong with all: once another has ended, torchrun ends it."""
    if STARTED_BY_TORCHRUN in os.environ and os.environ.get("RANK") != "0" and not _WAITED.is_set():
        _WAITED.set()
        time.sleep(ENDED_WITHIN_S)


def refuse_other_verbs(verb: str | None) -> None:
    """Only `train` is for several ranks.

    Raises:
        ConfigError: another verb.
    """
    if verb not in (None, "train") and ranks_of(os.environ):
        raise ConfigError(
            f"`linewise {verb}` was started by torchrun, once for each rank",
            where="torchrun",
            expected="`linewise train`: ranks train one network together",
            mend=f"linewise {verb} … without torchrun",
        )


@contextmanager
def with_others(hang_limit: bool) -> Iterator[Group | None]:
    """The ranks that train together; None where torchrun did not start this process.

    An error that one of the others alone has is told by it, with its number.

    Args:
        hang_limit: `--hang-limit` was typed.

    Raises:
        ConfigError: ranks have no such limit. RankLostError: another rank is gone.
    """
    ranks = ranks_of(os.environ)
    if ranks is None:
        yield None
        return
    if hang_limit:
        raise ConfigError(
            "no launcher watches ranks",
            where="--hang-limit",
            expected="no limit under torchrun: a rank waits for the others for 30 minutes at the most",
        )
    from linewise.training.groups import RankLostError, joined

    entered = False
    end_with(os.getppid(), ENDED_WITHIN_S)
    try:
        with joined(ranks) as group:
            entered = True
            if ranks.is_first:
                sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
            yield group
    except RankLostError as error:
        wait_for_the_first()
        if ranks.is_first and ranks.begin_again:
            time.sleep(ENDED_WITHIN_S)  # torchrun ends this one meanwhile
        if entered:
            _tell(ranks.rank, f"error: {error}")
        raise
    except LinewiseError as error:
        if entered:
            _tell(ranks.rank, f"error: {error}")
        wait_for_the_first()
        raise
    except Exception:
        _tell(ranks.rank, traceback.format_exc())
        raise


def _tell(rank: int, text: str) -> None:
    if rank and sys.__stderr__:
        print(f"rank {rank}: {text}", file=sys.__stderr__, flush=True)

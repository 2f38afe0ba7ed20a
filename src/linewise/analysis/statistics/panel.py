"""All networks of a study compared with each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from linewise.analysis.evidence import Evidence
from linewise.analysis.statistics.bootstrap import REPLICATES, resample
from linewise.analysis.statistics.exact import cochran_q, holm
from linewise.analysis.statistics.paired import Paired, compare


@dataclass(frozen=True)
class Cochran:
    """Cochran's Q over one run of each network.

    Attributes:
        run: which: each network's run number `run`, from 0.
        q, p: the statistic and its p-value.
    """

    run: int
    q: float
    p: float


@dataclass(frozen=True)
class Panel:
    """Every pair of networks, corrected for their number.

    Attributes:
        labels: the networks compared; those without answers are not among them.
        pairs: each pair once, in the order of the labels.
        cochran: one test for each run that all networks have. It is made on single runs, because answers by
            majority would be those of an ensemble that nobody trained for its own sake. It speaks of these runs on
            other images, not of other seeds: the corrected pairs do.
    """

    labels: list[str]
    pairs: list[Paired]
    cochran: list[Cochran]

    def pair(self, first: str, second: str) -> Paired:
        """The comparison of two networks, in whichever order it was made; KeyError where it was not."""
        for found in self.pairs:
            if {found.first, found.second} == {first, second}:
                return found
        raise KeyError((first, second))


def panel(
    networks: Evidence | Mapping[str, np.ndarray],
    rng: np.random.Generator | None = None,
    replicates: int = REPLICATES,
) -> Panel:
    """Compare every two networks.

    Args:
        networks: a study, or `correct_SN` by label, all on the same images.
        rng: for the bootstrap, whose images are the same for all networks; repeatable where not given.
        replicates: of the bootstrap.
    """
    correct = _answers(networks) if isinstance(networks, Evidence) else dict(networks)
    labels = list(correct)
    if len(labels) < 2:
        return Panel(labels, [], [])
    means_RK = resample(list(correct.values()), rng or np.random.default_rng(0), replicates)
    tested = sum(len(correct[a]) > 1 and len(correct[b]) > 1 for a, b in combinations(labels, 2))
    pairs = [
        compare((correct[a], correct[b]), means_RK[:, [i, j]], (a, b), max(1, tested))
        for (i, a), (j, b) in combinations(enumerate(labels), 2)
    ]
    corrected = holm([found.p for found in pairs])
    runs = range(min(len(correct_SN) for correct_SN in correct.values()))
    return Panel(
        labels,
        [replace(found, p_holm=p) for found, p in zip(pairs, corrected, strict=True)],
        [Cochran(run, *cochran_q(np.stack([correct_SN[run] for correct_SN in correct.values()]))) for run in runs],
    )


def _answers(evidence: Evidence) -> dict[str, np.ndarray]:
    found = {network.label: network.correct_SN(evidence.split) for network in evidence.networks}
    return {label: correct_SN for label, correct_SN in found.items() if correct_SN is not None}

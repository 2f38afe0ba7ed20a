"""What a study says beside its answer: the best network of all, and what recurrence is worth over its controls."""

from __future__ import annotations

from linewise.analysis.evidence import Evidence, NetworkEvidence
from linewise.analysis.intervals import accuracy, describe, difference

CONTROLS = {"_pooling": "pooling", "_identity": "nothing"}
"""Endings of the names of networks without recurrence, and what stands in its place."""


def best(networks: list[NetworkEvidence]) -> NetworkEvidence | None:
    """The network with the highest mean validation accuracy; test accuracy plays no part."""

    def score(network: NetworkEvidence) -> float:
        correct_SN = network.correct_SN("validation")
        return -1.0 if correct_SN is None else float(correct_SN.mean())

    return max(networks, key=score, default=None)


def beside(evidence: Evidence, compared: list[NetworkEvidence]) -> list[str]:
    """Sentences for networks that the answer passes over."""
    return [*_best_of_all(evidence, compared), *_worth_of_recurrence(evidence)]


def _best_of_all(evidence: Evidence, compared: list[NetworkEvidence]) -> list[str]:
    """Where the best network by validation belongs to neither family."""
    found = best(_answering(evidence))
    if found is None or found in compared or found.family in ("recurrent", "convolutional"):
        return []
    correct_SN = found.correct_SN(evidence.split)
    assert correct_SN is not None
    kind = "a control" if found.family == "control" else f"of the family '{found.family}'"
    return [f"Best of all by validation is {found.label}, {kind}: {describe(accuracy(correct_SN))}."]


def _worth_of_recurrence(evidence: Evidence) -> list[str]:
    """Each network against itself with its recurrence taken out (the question is MambaOut's, Yu & Wang 2024)."""
    networks, told = _answering(evidence), []
    for network in networks:
        for ending, instead in CONTROLS.items():
            for control in networks:
                if control.spec.name != network.spec.name + ending:
                    continue
                with_SN, without_SN = network.correct_SN(evidence.split), control.correct_SN(evidence.split)
                assert with_SN is not None
                assert without_SN is not None
                gap = difference(with_SN, without_SN)
                range_ = f"95 % interval {100 * gap.low:+.2f} to {100 * gap.high:+.2f}"
                shown = "" if gap.excludes_zero else ", no difference shown"
                told.append(
                    f"Against {control.label} ({instead} in place of the recurrence), {network.label} has "
                    f"{100 * gap.estimate:+.2f} points ({range_}{shown})."
                )
    return told


def _answering(evidence: Evidence) -> list[NetworkEvidence]:
    return [network for network in evidence.networks if network.answers(evidence.split)]

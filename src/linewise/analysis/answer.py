"""The answer of a study in one or two sentences, computed from its records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from linewise.analysis.evidence import Evidence, NetworkEvidence
from linewise.analysis.intervals import Interval, accuracy, difference

Verdict = Literal["recurrent", "convolutional", "no difference shown", "one family", "nothing yet"]
FAMILY_NAMES = {"recurrent": "recurrent", "convolutional": "convolutional"}


@dataclass(frozen=True)
class Answer:
    """What the study showed.

    Attributes:
        text: sentences for people.
        verdict: the better family, or why none is named.
        recurrent, convolutional: labels of each family's best network by validation accuracy.
        difference: convolutional minus recurrent accuracy, where both are there.
    """

    text: str
    verdict: Verdict
    recurrent: str = ""
    convolutional: str = ""
    difference: Interval | None = None


def answer(evidence: Evidence) -> Answer:
    """Compare each family's best network, chosen on validation images, on the test images."""
    best = {family: _best(evidence.family(family)) for family in ("recurrent", "convolutional")}
    reader, convolver = best["recurrent"], best["convolutional"]
    if reader is None and convolver is None:
        return Answer("No recurrent and no convolutional network has finished yet.", "nothing yet")
    if reader is None or convolver is None:
        return _one_family(evidence, reader or convolver)
    split = evidence.split
    reader_SN, convolver_SN = reader.correct_SN(split), convolver.correct_SN(split)
    assert reader_SN is not None
    assert convolver_SN is not None
    gap = difference(convolver_SN, reader_SN)
    where = f"{gap.num_images:,} {split} images"
    facts = (
        f"the best convolutional network ({convolver.label}) was right on {describe(accuracy(convolver_SN))}, "
        f"the best recurrent one ({reader.label}) on {describe(accuracy(reader_SN))}"
    )
    points = f"{abs(gap.estimate) * 100:.2f} points (95 % interval {_points(gap)})"
    if not gap.excludes_zero:
        verdict: Verdict = "no difference shown"
        text = (
            f"No difference between recurrent and convolutional networks was shown: on {where} {facts}; {points}."
        )
    else:
        verdict = "convolutional" if gap.estimate > 0 else "recurrent"
        text = f"{verdict.capitalize()} networks recognised these images better, by {points}: on {where} {facts}."
    return Answer(f"{text} {_setting(evidence, gap.covers_seeds)}", verdict, reader.label, convolver.label, gap)


def describe(interval: Interval) -> str:
    """`98.76 % (98.50 to 99.02)`."""
    return f"{interval.estimate * 100:.2f} % ({interval.low * 100:.2f} to {interval.high * 100:.2f})"


def _points(gap: Interval) -> str:
    low, high = sorted((gap.low, gap.high)) if gap.estimate >= 0 else sorted((-gap.low, -gap.high))
    return f"{low * 100:+.2f} to {high * 100:+.2f}"


def _best(networks: list[NetworkEvidence]) -> NetworkEvidence | None:
    """The network with the highest mean validation accuracy; test accuracy plays no part."""

    def score(network: NetworkEvidence) -> float:
        correct_SN = network.correct_SN("validation")
        return -1.0 if correct_SN is None else float(correct_SN.mean())

    return max(networks, key=score, default=None)


def _one_family(evidence: Evidence, network: NetworkEvidence | None) -> Answer:
    assert network is not None
    correct_SN = network.correct_SN(evidence.split)
    assert correct_SN is not None
    found = accuracy(correct_SN)
    text = (
        f"Only {network.family} networks were trained, so families cannot be compared: the best by validation "
        f"({network.label}) was right on {describe(found)} of {found.num_images:,} {evidence.split} images."
    )
    return Answer(
        f"{text} {_setting(evidence, found.covers_seeds)}",
        "one family",
        recurrent=network.label if network.family == "recurrent" else "",
        convolutional=network.label if network.family == "convolutional" else "",
    )


def _setting(evidence: Evidence, covers_seeds: bool) -> str:
    spec = evidence.spec
    kind = {"params": "parameters", "macs": "multiply-accumulates"}.get(spec.match, "")
    cost = f"about {spec.budget:,} {kind} each" if spec.budget else "cost not matched"
    seeds = f"{len(spec.seeds)} seeds" if covers_seeds else "one seed, so how much seeds matter is not known"
    train = sum(spec.data.counts["train"].values())
    sealed = "" if evidence.split == "test" else " The test set has not been opened yet."
    wild = sum(run.record.status == "diverged" for network in evidence.networks for run in network.runs)
    diverged = f" {wild} run{'s' if wild > 1 else ''} diverged and could not be counted." if wild else ""
    return f"({cost}, {train:,} training images, {spec.recipe.epochs} epochs, {seeds}.){diverged}{sealed}"

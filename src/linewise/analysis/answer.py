"""The answer of a study in one or two sentences, computed from its records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from linewise.analysis.beside import beside, best
from linewise.analysis.evidence import Evidence, NetworkEvidence
from linewise.analysis.intervals import Interval, accuracy, describe, difference
from linewise.foundations.amounts import count

Verdict = Literal["recurrent", "convolutional", "no difference shown", "one family", "nothing yet"]


@dataclass(frozen=True)
class Answer:
    """What the study showed.

    Attributes:
        headline: the verdict in a few words.
        details: the numbers behind it, with intervals and n.
        setting: what it holds for: cost, training images, epochs, seeds; what is missing.
        verdict: the better family, or why none is named.
        recurrent, convolutional: labels of each family's best network by validation accuracy.
        difference: convolutional minus recurrent accuracy, where both are there.
    """

    headline: str
    details: str
    setting: str
    verdict: Verdict
    recurrent: str = ""
    convolutional: str = ""
    difference: Interval | None = None

    @property
    def text(self) -> str:
        """All of it, for a terminal."""
        return " ".join(part for part in (self.headline, self.details, self.setting) if part)


def answer(evidence: Evidence) -> Answer:
    """Compare each family's best network, chosen on validation images, on the test images."""
    reader, convolver = best(evidence.family("recurrent")), best(evidence.family("convolutional"))
    if reader and convolver:
        return _two_families(evidence, reader, convolver)
    if network := reader or convolver:
        return _one_family(evidence, network)
    control = best(evidence.family("control"))
    details = ""
    if control:
        found = _accuracy(evidence, control)
        details = f"The best control ({control.label}) was right on {describe(found)} of {_images(evidence)}."
    headline = "No recurrent and no convolutional network has finished yet."
    return Answer(headline, details, _setting(evidence, [control] if control else []), "nothing yet")


def baseline(evidence: Evidence) -> float:
    """The most that naming one class for every image can get right: the share of the most frequent class."""
    labels_N = evidence.labels_N
    return float(np.bincount(labels_N).max() / len(labels_N)) if len(labels_N) else 0.0


def _two_families(evidence: Evidence, reader: NetworkEvidence, convolver: NetworkEvidence) -> Answer:
    right, left = _accuracy(evidence, convolver), _accuracy(evidence, reader)
    gap = difference(_correct(evidence, convolver), _correct(evidence, reader))
    verdict: Verdict = "no difference shown"
    headline = "No difference between recurrent and convolutional networks was shown."
    if gap.excludes_zero:
        verdict = "convolutional" if gap.estimate > 0 else "recurrent"
        headline = (
            f"{verdict.capitalize()} networks recognised these images better."
            if gap.covers_seeds
            else f"The {verdict} network recognised these images better, in one run of each."
        )
    details = (
        f"On {_images(evidence)}, the best convolutional network ({convolver.label}) was right on "
        f"{describe(right)}, the best recurrent one ({reader.label}) on {describe(left)}: {_apart(gap)}. "
        f"{_above_chance(evidence, left)}"
    )
    details = " ".join([details, *beside(evidence, [convolver, reader])])
    setting = _setting(evidence, [convolver, reader])
    return Answer(headline, details, setting, verdict, reader.label, convolver.label, gap)


def _one_family(evidence: Evidence, network: NetworkEvidence) -> Answer:
    found = _accuracy(evidence, network)
    recurrent = network.family == "recurrent"
    other = "convolutional" if recurrent else "recurrent"
    headline = f"No {other} network has answers, so the two families cannot be compared."
    details = (
        f"The best {network.family} network by validation ({network.label}) was right on {describe(found)} of "
        f"{_images(evidence)}."
    )
    if recurrent:
        details += f" {_above_chance(evidence, found)}"
    details = " ".join([details, *beside(evidence, [network])])
    return Answer(
        headline,
        details,
        _setting(evidence, [network]),
        "one family",
        recurrent=network.label if recurrent else "",
        convolutional="" if recurrent else network.label,
    )


def _correct(evidence: Evidence, network: NetworkEvidence) -> np.ndarray:
    correct_SN = network.correct_SN(evidence.split)
    assert correct_SN is not None  # networks of evidence.family have answers
    return correct_SN


def _accuracy(evidence: Evidence, network: NetworkEvidence) -> Interval:
    return accuracy(_correct(evidence, network))


def _images(evidence: Evidence) -> str:
    return f"{len(evidence.labels_N):,} {evidence.split} images"


def _apart(gap: Interval) -> str:
    """`0.32 points apart (95 % interval 0.11 to 0.53)`; signed where it is not known which is ahead."""
    if not gap.excludes_zero:
        return (
            f"{100 * gap.estimate:+.2f} points for the convolutional one "
            f"(95 % interval {100 * gap.low:+.2f} to {100 * gap.high:+.2f})"
        )
    low, high = sorted((abs(gap.low), abs(gap.high)))
    return f"{100 * abs(gap.estimate):.2f} points apart (95 % interval {100 * low:.2f} to {100 * high:.2f})"


def _above_chance(evidence: Evidence, reader: Interval) -> str:
    """Whether recurrent networks can do the job at all."""
    naming = f"naming one class for all images is right on at most {100 * baseline(evidence):.2f} %"
    if reader.low > baseline(evidence):
        return f"Recurrent networks do recognise them: {naming}."
    return f"It was not shown that recurrent networks learned anything: {naming}."


def _setting(evidence: Evidence, compared: list[NetworkEvidence]) -> str:
    spec = evidence.spec
    train = sum(spec.data.counts.get("train", {}).values())
    epochs = count(spec.recipe.epochs, "epoch")
    parts = [_cost(evidence, compared), f"{train:,} training images", epochs, _seeds(evidence, compared)]
    if spec.tuning:
        trials = spec.tuning.trials
        parts.append(f"settings of each network from {count(trials, 'trial')}")
    listed = ", ".join(part for part in parts if part)
    notes = [f"{listed[:1].upper()}{listed[1:]}."]
    for status in ("diverged", "failed"):
        lost = [r.path.name for n in evidence.networks for r in n.runs if r.record.status == status]
        if lost:
            notes.append(f"{count(len(lost), 'run')} {status} and could not be counted: {', '.join(lost)}.")
    missing = len(spec.models) * len(spec.seeds) - sum(len(network.runs) for network in evidence.networks)
    if missing > 0:
        notes.append(f"{count(missing, 'run')} of the study still missing.")
    if evidence.split != "test":
        notes.append("The test set has not been opened yet; networks were chosen on these same validation images.")
    return " ".join(notes)


def _cost(evidence: Evidence, compared: list[NetworkEvidence]) -> str:
    """Whether the networks compared were matched in cost."""
    spec = evidence.spec
    if not spec.budget or spec.match == "none":
        return "cost not matched"
    kind = "parameters" if spec.match == "params" else "multiply-accumulates"
    if all(network.spec.miss is not None and abs(network.spec.miss) <= 0.01 for network in compared):
        return f"about {spec.budget:,} {kind} each"
    costs = [(n.label, n.spec.cost.parameters if spec.match == "params" else n.spec.cost.macs) for n in compared]
    return f"cost not matched within 1 % ({kind}: {', '.join(f'{label} {cost:,}' for label, cost in costs)})"


def _seeds(evidence: Evidence, compared: list[NetworkEvidence]) -> str:
    seeds = [len(network.answers(evidence.split)) for network in compared]
    if not seeds:
        return ""
    if min(seeds) > 1:
        return f"{min(seeds)} seeds" if min(seeds) == max(seeds) else f"{min(seeds)} to {max(seeds)} seeds"
    return "one seed, so how much seeds matter could not be judged"

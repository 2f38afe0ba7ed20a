"""What a reader of the verdicts must know: coded, so that programs can look for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from linewise.analysis.answer import baseline
from linewise.analysis.evidence import Evidence
from linewise.analysis.intervals import accuracy
from linewise.foundations.amounts import count
from linewise.foundations.tuning import TuningRecord

FEW_SEEDS, MOST_MISS, LEAST_BALANCE = 5, 0.01, 0.5
"""Seeds below which intervals are wide and tests over seeds weak; largest miss of the budget; smallest class ÷
largest class."""


@dataclass(frozen=True)
class Warned:
    """A warning.

    Attributes:
        code: stable, such as `few-seeds`.
        text: one sentence.
    """

    code: str
    text: str


def warnings(evidence: Evidence, tuning: TuningRecord | None) -> list[Warned]:
    """All that apply, in a fixed order."""
    found = [*_protocol(evidence), *_tuning(evidence, tuning), *_data(evidence), *_chance(evidence)]
    return [Warned(code, text) for code, text in found]


def _protocol(evidence: Evidence) -> Iterator[tuple[str, str]]:
    spec = evidence.spec
    if evidence.split != "test":
        yield "test-sealed", "The test set has not been opened; all figures are of validation images."
    seeds = min(
        (len(n.answers(evidence.split)) for n in evidence.networks if n.answers(evidence.split)), default=0
    )
    if 0 < seeds < FEW_SEEDS:
        told = f"{seeds} seeds per network; with fewer than {FEW_SEEDS}, intervals are wide"
        if seeds == 1:
            told = "one seed per network; intervals and tests speak of these runs, not of other seeds"
        yield "few-seeds", f"Only {told}."
    if spec.match == "none":
        yield "unmatched-cost", "The networks were not matched in cost."
    off = [
        f"{m.label} {100 * m.miss:+.1f} %"
        for m in spec.models
        if m.miss is not None and abs(m.miss) > MOST_MISS and m.family != "control"
    ]
    if off:
        yield "unequal-budgets", f"Off the budget by more than {100 * MOST_MISS:.0f} %: {', '.join(off)}."
    twice = [o for o in evidence.folder.openings() if o.runs]
    again = {run for i, o in enumerate(twice) for run in o.runs if any(run in p.runs for p in twice[:i])}
    if len(twice) > 1:
        told = f", {len(again)} of the runs more than once" if again else ", for runs added later"
        yield "test-opened-again", f"The test set was opened {len(twice)} times{told}."
    if unlogged := evidence.folder.unlogged():
        these = f"{count(len(unlogged), 'tested run')}, such as {unlogged[0]}"
        told = f"openings.jsonl does not tell of the opening for {these}: it was removed or changed."
        yield "opening-not-logged", told
    for status in ("diverged", "failed"):
        lost = [r.path.name for n in evidence.networks for r in n.runs if r.record.status == status]
        if lost:
            yield f"{status}-runs", f"Not counted, because they {status}: {', '.join(lost)}."


def _tuning(evidence: Evidence, tuning: TuningRecord | None) -> Iterator[tuple[str, str]]:
    if tuning is None:
        yield "untuned", "One recipe for all networks: hyper-parameters were not tuned."
        return
    counts = {network.label: len(network.trials) for network in tuning.networks}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{label} {count}" for label, count in counts.items())
        yield "unequal-tuning", f"The numbers of trials differ: {told}."
    if tuning.unchosen:
        yield (
            "no-trial-finished",
            f"No trial finished of {', '.join(tuning.unchosen)}; the final runs have the study's recipe, untuned.",
        )
    train = sum(evidence.spec.data.counts["train"].values())
    if tuning.num_train < train or tuning.plan.epochs < evidence.spec.recipe.epochs:
        yield (
            "small-trials",
            f"Trials had {tuning.num_train:,} of {train:,} training images and {tuning.plan.epochs} of "
            f"{evidence.spec.recipe.epochs} epochs, the same for all.",
        )


def _data(evidence: Evidence) -> Iterator[tuple[str, str]]:
    check = evidence.spec.data.check
    balance = check.get("balance")
    if isinstance(balance, int | float) and balance < LEAST_BALANCE:
        yield "imbalance", f"The smallest class has {balance:.2f} times the images of the largest."
    duplicates = check.get("duplicates") or {}
    across = {pair: count for pair, count in (duplicates.get("across") or {}).items() if count}
    if across:
        told = ", ".join(f"{pair} {count:,}" for pair, count in across.items())
        yield "duplicates", f"The same images lie in more than one split: {told}."
    if duplicates.get("conflicts"):
        yield "conflicting-labels", f"{duplicates['conflicts']:,} images are there under two labels."


def _chance(evidence: Evidence) -> Iterator[tuple[str, str]]:
    bar = baseline(evidence)
    near = []
    for network in [*evidence.family("recurrent"), *evidence.family("convolutional")]:
        correct_SN = network.correct_SN(evidence.split)
        if correct_SN is not None and accuracy(correct_SN).low <= bar:
            near.append(network.label)
    if near:
        yield "near-chance", f"Not shown to be better than naming one class for all: {', '.join(near)}."

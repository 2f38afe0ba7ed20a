"""Claims about accuracy: recurrent networks can do it, convolutional ones are better, the images are easy."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from linewise.analysis.answer import Answer, baseline
from linewise.analysis.beside import best
from linewise.analysis.evidence import Evidence
from linewise.analysis.intervals import accuracy, describe, wilson
from linewise.analysis.verdicts.claim import Claim, by_interval

EASY_SHARE = 0.9
"""Images are called easy where more than this share of them is recognised by every run of both families."""


def recognise(evidence: Evidence) -> Claim | None:
    """Whether the best recurrent network by validation is right more often than naming one class for all."""
    reader = best(evidence.family("recurrent"))
    if reader is None:
        return None
    correct_SN = reader.correct_SN(evidence.split)
    assert correct_SN is not None
    found, bar = accuracy(correct_SN), baseline(evidence)
    sentence = (
        f"The best recurrent network by validation ({reader.label}) was right on {describe(found)} of "
        f"{found.num_images:,} {evidence.split} images over {found.num_seeds} "
        f"seed{'s' if found.num_seeds > 1 else ''}; naming one class for all is right on {100 * bar:.2f} %"
    )
    linear = next((n for n in evidence.networks if n.spec.name == "linear" and n.answers(evidence.split)), None)
    if linear:
        linear_SN = linear.correct_SN(evidence.split)
        assert linear_SN is not None
        sentence += f", and a linear classifier on {describe(accuracy(linear_SN))}"
    return Claim(
        id="recognise",
        statement="Recurrent networks recognise these images.",
        verdict=by_interval(found.low, found.high, bar),
        sentence=f"{sentence}.",
        chart="accuracy",
        numbers={"network": reader.label, "accuracy": asdict(found), "one_class": bar},
    )


def convolutional_better(evidence: Evidence, conclusion: Answer) -> Claim | None:
    """Whether the best convolutional network beats the best recurrent one, both chosen by validation."""
    gap = conclusion.difference
    if gap is None:
        return None
    pair = f"{conclusion.convolutional} against {conclusion.recurrent}"
    runs = f"{gap.num_seeds} seeds each" if gap.covers_seeds else "one run each, so only about these runs"
    sentence = (
        f"{pair}: {100 * gap.estimate:+.2f} points for the convolutional network (95 % interval "
        f"{100 * gap.low:+.2f} to {100 * gap.high:+.2f}; {gap.num_images:,} {evidence.split} images, {runs})"
    )
    verdict = by_interval(gap.low, gap.high, 0.0) if gap.covers_seeds else "not decided"
    if verdict == "not supported":
        sentence += "; the recurrent one is better"
    elif verdict == "not decided":
        sentence += "; no difference shown" if gap.low <= 0 <= gap.high else "; other seeds may say otherwise"
    return Claim(
        id="convolutional-better",
        statement="Convolutional networks are better.",
        verdict=verdict,
        sentence=f"{sentence}.",
        chart="accuracy",
        numbers={
            "convolutional": conclusion.convolutional,
            "recurrent": conclusion.recurrent,
            "difference": asdict(gap),
        },
    )


def easy(evidence: Evidence) -> Claim | None:
    """Whether nearly all images are recognised by every run of both families."""
    networks = [*evidence.family("recurrent"), *evidence.family("convolutional")]
    runs = [c for network in networks if (c := network.correct_SN(evidence.split)) is not None]
    if not runs:
        return None
    correct_RN = np.concatenate(runs)
    by_all, n = int(correct_RN.all(axis=0).sum()), correct_RN.shape[1]
    by_none = int((~correct_RN).all(axis=0).sum())
    low, high = wilson(by_all, n)
    share = by_all / n
    families = len({network.family for network in networks})
    missed = f", none recognises {by_none:,} of them" if by_none else ""
    sentence = (
        f"Every one of {len(correct_RN)} runs{' of both families' if families > 1 else ''} recognises "
        f"{100 * share:.2f} % of the {n:,} {evidence.split} images (95 % interval {100 * low:.2f} to "
        f"{100 * high:.2f}){missed}; they are called easy above "
        f"{100 * EASY_SHARE:.0f} %."
    )
    return Claim(
        id="easy",
        statement="The images are easy.",
        verdict=by_interval(low, high, EASY_SHARE),
        sentence=sentence,
        chart="difficulty",
        numbers={"share": share, "low": low, "high": high, "n": n, "runs": len(correct_RN), "by_none": by_none},
    )

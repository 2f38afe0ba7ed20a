"""The claim that recurrent networks are 40 % to 55 % faster."""

from __future__ import annotations

from linewise.analysis.answer import Answer
from linewise.analysis.evidence import Evidence
from linewise.analysis.speed import Speeds, time_saved
from linewise.analysis.verdicts.claim import Claim, Verdict

LEAST, MOST = 0.40, 0.55
"""Share of the training time that recurrent networks were said to save."""
COST = {"params": "the same parameters", "macs": "the same multiply-accumulates", "none": "unmatched cost"}


def faster(evidence: Evidence, conclusion: Answer, speeds: Speeds | None) -> Claim | None:
    """Training time of each family's best network by validation, measured in alternation.

    Supported where the whole interval of the time saved is at least 40 %, not supported where it is below.
    """
    ratios = speeds.pairs.get((conclusion.recurrent, conclusion.convolutional)) if speeds else None
    if not speeds or not ratios or "train" not in ratios:
        return None
    saved, low, high = time_saved(ratios["train"])
    verdict: Verdict = "supported" if low >= LEAST else "not supported" if high < LEAST else "not decided"
    if saved >= 0:
        done, bounds = f"saves {100 * saved:.0f} % of the training time of", (low, high)
    else:
        done, bounds = f"takes {100 * -saved:.0f} % more training time than", (-high, -low)
    sentence = (
        f"At {COST[evidence.spec.match]}, {conclusion.recurrent} {done} "
        f"{conclusion.convolutional} (95 % interval {100 * bounds[0]:.0f} to {100 * bounds[1]:.0f} %; "
        f"{ratios['train'].num_rounds} rounds in alternation, {speeds.threads} "
        f"thread{'s' if speeds.threads > 1 else ''} of {speeds.processor})"
    )
    for work, told in (("1", "one image"), ("1000", "1,000 images")):
        if work in ratios:
            sentence += f"; answering {told} it is {ratios[work].estimate:.2f} times as fast"
    if verdict == "supported" and low > MOST:
        sentence += ". That is more than was said"
    others = _others(speeds, conclusion)
    return Claim(
        id="faster",
        statement="Recurrent networks are 40 % to 55 % faster.",
        verdict=verdict,
        sentence=f"{sentence}.{others}",
        chart="speed",
        numbers={
            "recurrent": conclusion.recurrent,
            "convolutional": conclusion.convolutional,
            "match": evidence.spec.match,
            "time_saved": {"estimate": saved, "low": low, "high": high, "rounds": ratios["train"].num_rounds},
            "times_as_fast": {work: vars(ratio) for work, ratio in ratios.items()},
        },
    )


def _others(speeds: Speeds, conclusion: Answer) -> str:
    """The other recurrent networks against the same convolutional one."""
    told = [
        f"{r} {100 * time_saved(ratios['train'])[0]:+.0f} %"
        for (r, c), ratios in speeds.pairs.items()
        if c == conclusion.convolutional and r != conclusion.recurrent and "train" in ratios
    ]
    return f" Time saved by the others: {', '.join(told)}." if told else ""

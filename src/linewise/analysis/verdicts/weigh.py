"""Every claim weighed against one study's records."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from linewise.analysis.verdicts.accuracy import convolutional_better, easy, recognise
from linewise.analysis.verdicts.claim import Claim, Verdict
from linewise.analysis.verdicts.pairs import hard
from linewise.analysis.verdicts.speed import faster
from linewise.analysis.verdicts.warnings import Warned, warnings

if TYPE_CHECKING:
    from linewise.analysis.summary import Summary

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Verdicts:
    """What a study says of each claim, and what a reader must know beside.

    Attributes:
        claims: those that this study can say something about, in a fixed order.
    """

    claims: list[Claim]
    warnings: list[Warned]

    def as_json(self, summary: Summary) -> dict[str, Any]:
        """The content of `report/verdict.json`."""
        spec = summary.evidence.spec
        return {
            "schema_version": SCHEMA_VERSION,
            "data": spec.data.name,
            "fingerprint": spec.data.fingerprint,
            "split": summary.evidence.split,
            "num_images": len(summary.evidence.labels_N),
            "seeds": spec.seeds,
            "match": spec.match,
            "budget": spec.budget,
            "claims": [asdict(claim) for claim in self.claims],
            "warnings": [asdict(warned) for warned in self.warnings],
        }


def weigh(summary: Summary) -> Verdicts:
    """All verdicts of a study, from its records."""
    evidence, conclusion = summary.evidence, summary.conclusion
    claims = [
        recognise(evidence),
        convolutional_better(evidence, conclusion),
        _differently(summary),
        faster(evidence, conclusion, summary.speeds),
        hard(evidence),
        easy(evidence),
    ]
    found = [claim for claim in claims if claim is not None]
    return Verdicts(found, warnings(evidence, evidence.folder.tuning()))


def _differently(summary: Summary) -> Claim | None:
    """Whether the families err on different images, beyond what two seeds of one network do."""
    overlap = summary.overlap
    if overlap is None:
        return None
    verdict: Verdict = "supported" if overlap.verdict == "different" else "not decided"
    return Claim(
        id="err-differently",
        statement="Recurrent and convolutional networks make different mistakes.",
        verdict=verdict,
        sentence=overlap.sentence,
        chart="overlap",
        numbers={
            "verdict": overlap.verdict,
            "recurrent": overlap.recurrent,
            "convolutional": overlap.convolutional,
            "gap": asdict(overlap.gap) if overlap.gap else None,
        },
    )

"""What a study says of each claim about recurrent and convolutional networks."""

from linewise.analysis.verdicts.claim import Claim
from linewise.analysis.verdicts.warnings import Warned
from linewise.analysis.verdicts.weigh import Verdicts, weigh

__all__ = ["Claim", "Verdicts", "Warned", "weigh"]

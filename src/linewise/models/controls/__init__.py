"""Opponents and controls that neither read nor convolve."""

from linewise.models.controls import flat as flat
from linewise.models.controls import mixer as mixer
from linewise.models.controls import vit as vit

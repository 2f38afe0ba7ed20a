"""Recurrence over a grid of patches: Sequencer in two and one dimensions, ReNet."""

from linewise.models.grid import renet as renet
from linewise.models.grid import sequencer as sequencer
from linewise.models.grid import variants as variants

"""Layer 4: networks, what they cost, and matching them to a budget."""

from linewise.models import bridge as bridge
from linewise.models import controls as controls
from linewise.models import convolutional as convolutional
from linewise.models import grid as grid
from linewise.models import recurrent as recurrent
from linewise.models.cost import cost
from linewise.models.create import create_model, list_models, parse_model
from linewise.models.matching import specify
from linewise.models.network import Network

__all__ = ["Network", "cost", "create_model", "list_models", "parse_model", "specify"]

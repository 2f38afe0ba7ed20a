"""Networks that read an image as one or more sequences."""

from linewise.models.recurrent import network as network

"""Defaults, each stated once: light to import, so that `--help` can show them."""

from typing import Final

MODELS = ("rnn", "lstm", "gru", "bilstm", "cnn", "mlp", "linear", "majority")
SEEDS = 3
TRIALS = 20
EPOCHS = 5
LR = 5e-3
WEIGHT_DECAY = 0.01
CLIP = 1.0
LABEL_SMOOTHING = 0.0
RISE = 0.25
FALL: Final = "cosine"
BETAS = (0.9, 0.99)
READ_ALONG = 0.5
"""Share of the loss with `--read-along`; without it, 0."""

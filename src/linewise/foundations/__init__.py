"""Layer 0: what every other layer stands on. No torch here."""

"""Layer 7: what the records say. No torch here."""

"""Layer 8: what a person looks at. No torch here."""

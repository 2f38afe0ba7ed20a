"""Layer 2: how an image becomes a sequence."""

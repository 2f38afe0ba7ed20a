"""Layer 1: what is recognised. Sources, checks, splits, preprocessing, batches."""

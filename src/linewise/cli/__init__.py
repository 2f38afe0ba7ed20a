"""Layer 10: parse, call, print. One file per verb."""

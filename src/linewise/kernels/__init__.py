"""Layer 3: recurrences computed."""

"""Layer 4: networks, what they cost, and matching them to a budget."""

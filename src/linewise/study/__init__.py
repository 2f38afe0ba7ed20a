"""Layer 6: from a specification to finished runs."""

"""Layer 5: one loop, its recipe and its records."""

"""Recurrent layers in machine code made on the spot: one function for the whole loop over time."""

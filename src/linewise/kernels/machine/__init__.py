"""Recurrent layers as machine code, made by LLVM on the spot: what is computed, written out as text."""

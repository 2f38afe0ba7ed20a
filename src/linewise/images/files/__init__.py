"""Image files: listed, decoded, kept as one memory map."""

"""Kills and failing disks, and whether anything was lost: shared by `tests/faults/` and `fuzz/torture.py`."""

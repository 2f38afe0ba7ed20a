"""Fuzzing: loaders are given what nobody would write, and may only answer with errors that are told to people.

`targets` says what is fed and where; `mutators` spoils whole files; `attempt` judges one input. The short form is
`tests/faults/test_fuzzing.py`, the long one `fuzz/long.py`.
"""

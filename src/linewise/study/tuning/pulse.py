"""A launcher's sign of life in a shared storage."""

from __future__ import annotations

import threading

from linewise.study.tuning.ledger import Ledger

BEAT_S = 5.0
"""How often a launcher says that its trials are alive."""


class Pulse:
    """A thread that lets ledgers beat while trials run; a storage that does not answer is asked again later."""

    def __init__(self, ledgers: list[Ledger], every_s: float = BEAT_S) -> None:
        self.ledgers = [ledger for ledger in ledgers if ledger.storage.shared]
        self.every_s, self.over = every_s, threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        if self.ledgers:
            self.thread.start()

    def __exit__(self, *error: object) -> None:
        self.over.set()
        if self.ledgers:
            self.thread.join()

    def _run(self) -> None:
        while not self.over.is_set():
            for ledger in self.ledgers:
                try:
                    ledger.beat()
                except Exception:
                    continue
            self.over.wait(self.every_s)

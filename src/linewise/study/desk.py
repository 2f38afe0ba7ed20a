"""Checkpoints of ranks: the first one writes and reads them, and tells the others what it read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import final

from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from linewise.foundations.interrupts import STOP, Stopped
from linewise.training.checkpoints import Checkpoints
from linewise.training.groups import Group
from linewise.training.state import Position, State


@final
class Desk:
    """`Checkpoints` for all ranks; all have the same state, so one of them can write it, and no two can differ in
    which one they read. The others need not see the folder.

    Attributes:
        started, changed: see `Checkpoints`.
    """

    def __init__(self, checkpoints: Checkpoints, group: Group) -> None:
        self.checkpoints, self.group = checkpoints, group
        self.folder: Path = checkpoints.folder
        self.started, self.changed = checkpoints.started, checkpoints.changed

    def save(self, state: State) -> None:
        """See `Checkpoints.save`."""
        if self.group.is_first:
            self.checkpoints.save(state)

    def restore(self, state: State) -> tuple[bool, list[str]]:
        """Put the state of every rank where the newest whole checkpoint is.

        Returns:
            As `Checkpoints.restore`; the others have nothing to say.
        """
        found, remarks = self.checkpoints.restore(state) if self.group.is_first else (False, [])
        self.started, self.changed = self.checkpoints.started, self.checkpoints.changed
        position = state.position().model_dump() if found else None
        told = json.loads(self.group.tell(json.dumps(position).encode()))
        if told is None:
            return False, remarks
        tensors = self.group.tell(save_tensors(_contiguous(state)) if found else b"")
        if not found:
            state.restore(Position.model_validate(told), load_tensors(tensors))
        return True, remarks


def _contiguous(state: State) -> dict:
    return {name: tensor.cpu().contiguous() for name, tensor in state.tensors().items()}


@final
class Agreed:
    """Whether ranks are to stop, as all of them heard in the step they took last: they stop after the same one.

    A rank that stopped by itself would leave the others waiting for it; only the first may, once all have trained.
    """

    at_once = False

    def __init__(self, group: Group) -> None:
        self.group = group

    @property
    def held(self) -> bool:
        """A signal to this process waits for the step to end."""
        return STOP.held

    @held.setter
    def held(self, held: bool) -> None:
        STOP.held = held or not self.group.is_first

    def check(self) -> None:
        """Obey what all have heard."""
        if self.group.asked_to_stop:
            raise Stopped(STOP.signum) if STOP.signum else Stopped

"""The state of a training on disk: tensors as safetensors, numbers as JSON. Never pickle.

000007.safetensors · 000007.json: the tensors first, so that a JSON file always has its tensors. The JSON carries
the checksum of the tensors and one of itself. The newest two are kept.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Literal, final

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from linewise.foundations.atomic import replace_file
from linewise.foundations.records import Environment, Record
from linewise.training.state import Position, State, UnfitError

KEPT = 2
MOST_JSON, MOST_HEADER, MOST_CLASSES = 64 << 20, 16 << 20, 1 << 16
COMPARED = ("linewise", "torch", "processor", "threads", "ranks", "device", "kernels")
"""What of an environment decides bits."""


class Card(Record):
    """A checkpoint's JSON.

    Attributes:
        run: what decides the run, as a digest.
        started: when the run began.
        environment: of the process that wrote it.
        changed: what changed in the environment before, where it did: such a run is not bit-exact any more.
        sha256: of the tensors.
        checksum: of this JSON without it.
    """

    format: Literal["linewise-checkpoint"] = "linewise-checkpoint"
    schema_version: Literal[1] = 1
    run: str
    started: str
    environment: Environment
    changed: list[str]
    position: Position
    sha256: str
    checksum: str = ""

    def own_checksum(self) -> str:
        fields = self.model_dump(mode="json", exclude={"checksum"})
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


@final
class Checkpoints:
    """A folder of checkpoints of one run.

    Args:
        run: a digest of all that decides the run; those of another are passed over.
        environment: of this process.
        started: when this process began the run.

    Attributes:
        started: when the run began, which an earlier process may have done.
        changed: how this process, and those before it, differ from the one that began the run.
    """

    def __init__(self, folder: Path, run: str, environment: Environment, started: str) -> None:
        self.folder, self.run, self.environment, self.started = folder, run, environment, started
        self.changed: list[str] = []
        self._made = False

    def save(self, state: State) -> None:
        """Write one more, then remove all but the newest two. A folder that is not there any more, because it was
        moved, is not made anew.

        Raises:
            OSError: it cannot be written; those before it are intact.
        """
        if self._made and not self.folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.folder))
        for folder in (self.folder.parent, self.folder):  # not those above: they are of a study
            folder.mkdir(exist_ok=True)
        self._made = True
        name = f"{max(self._numbers(), default=0) + 1:06d}"
        payload = save_tensors({name: t.cpu().contiguous() for name, t in state.tensors().items()})
        card = Card(
            run=self.run,
            started=self.started,
            environment=self.environment,
            changed=self.changed,
            position=state.position(),
            sha256=hashlib.sha256(payload).hexdigest(),
        )
        try:
            with replace_file(self.folder / f"{name}.safetensors") as file:
                file.write(payload)
            card.model_copy(update={"checksum": card.own_checksum()}).save(self.folder / f"{name}.json")
        except BaseException:
            for half in self.folder.glob(f"{name}.*"):
                with suppress(OSError):
                    half.unlink()
            raise
        kept = sorted(self._numbers())[-KEPT:]
        for path in self.folder.glob("[0-9]*.*"):
            if path.stem.isdecimal() and int(path.stem) not in kept:
                with suppress(OSError):
                    path.unlink()

    def restore(self, state: State) -> tuple[bool, list[str]]:
        """Put a state where the newest whole checkpoint is.

        Returns:
            Whether there was one, and what a person should know: what was passed over, and why the rest will not
            be bit-exact.
        """
        for leftover in self.folder.glob(".*.partial"):  # of a process that was killed
            with suppress(OSError):
                leftover.unlink()
        passed: list[str] = []
        for number in sorted(self._numbers(), reverse=True):
            name = f"{number:06d}"
            try:
                changed = self._restore(state, name)
            except UnfitError as error:
                passed.append(f"{name} ({error})")
                continue
            remarks = [f"passed over checkpoint {', '.join(passed)}; going on from {name}"] if passed else []
            if changed:
                remarks.append(f"not bit-exact: {'; '.join(changed)} since the checkpoint it goes on from")
            return True, remarks
        return False, [f"passed over checkpoint {', '.join(passed)}; the run begins anew"] if passed else []

    def _restore(self, state: State, name: str) -> list[str]:
        card = self._card(self.folder / f"{name}.json")
        most = _num_bytes(state) + state.num_validation * (len(card.position.epochs) + MOST_CLASSES)
        tensors = _read_tensors(self.folder / f"{name}.safetensors", card.sha256, most)
        state.restore(card.position, tensors)
        now = self.environment.model_dump(include=set(COMPARED))
        changed = [
            f"{name} {before} → {now[name]}"
            for name, before in card.environment.model_dump(include=set(COMPARED)).items()
            if before != now[name]
        ]
        self.started, self.changed = card.started, [*card.changed, *changed]
        return changed

    def _card(self, path: Path) -> Card:
        try:
            if path.stat().st_size > MOST_JSON:
                raise UnfitError("larger than 64 MiB")
            card = Card.model_validate_json(path.read_bytes())
        except OSError as error:
            raise UnfitError(f"cannot be read: {error.strerror}") from None
        except ValidationError:
            raise UnfitError("torn") from None
        if card.checksum != card.own_checksum():
            raise UnfitError("damaged, its checksum differs")
        if card.run != self.run:
            raise UnfitError("of another run")
        return card

    def _numbers(self) -> list[int]:
        return [int(path.stem) for path in self.folder.glob("[0-9]*.json") if path.stem.isdecimal()]


def _num_bytes(state: State) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in state.tensors().values())


def _read_tensors(path: Path, sha256: str, most: int) -> dict[str, Tensor]:
    try:
        if path.stat().st_size > most + MOST_HEADER:
            raise UnfitError("its tensors are larger than this run's")
        payload = path.read_bytes()
    except OSError as error:
        raise UnfitError(f"its tensors cannot be read: {error.strerror}") from None
    if hashlib.sha256(payload).hexdigest() != sha256:
        raise UnfitError("its tensors are torn or damaged, their checksum differs")
    try:
        return load_tensors(payload)
    except (SafetensorError, KeyError, ValueError) as error:
        raise UnfitError(f"its tensors are no safetensors: {error}") from None

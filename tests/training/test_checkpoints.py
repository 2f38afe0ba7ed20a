"""Training that is stopped after any step, or killed, goes on to the same bits; each part of what is kept is needed."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from linewise.foundations.environment import environment
from linewise.foundations.interrupts import Stop, Stopped
from linewise.foundations.records import Epoch, Recipe
from linewise.foundations.seeds import stream
from linewise.images.batches import Batches
from linewise.models import Network, create_model
from linewise.training import checkpoints as files
from linewise.training import loop
from linewise.training.checkpoints import Card, Checkpoints
from linewise.training.graph import Again
from linewise.training.keeping import Diligent
from linewise.training.loop import Outcome, train
from linewise.training.step import Recorded

RECIPE = Recipe(epochs=2, batch_size=12, lr=1e-2, augment={"shift": 1.0, "rotate": 10.0})
NETWORKS: dict[str, dict[str, Any]] = {
    "gru": {"hidden": 5, "dropout": 0.3},
    "cnn": {"stem": 3, "middle": 4, "last": 5, "dropout": 0.3},
    "sequencer2d_nano": {"channels": 6, "hidden": 3, "drop_path": 0.3},
}
STEPS = 8
ENVIRONMENT = environment(1, kernels="those of a test")
LONG = 1e9
RUN = "a" * 64


def batches(n: int, seed: int) -> Batches:
    rng = np.random.default_rng(seed)
    return Batches(rng.integers(0, 256, (n, 8, 8, 1), dtype=np.uint8), np.arange(n) % 3, mean=[0.4], std=[0.3])


TRAINING, VALIDATION = batches(47, 0), batches(20, 1)


def network(name: str) -> Network:
    torch.manual_seed(stream(3, "weights"))
    return create_model(name, num_classes=3, img_size=(8, 8), **NETWORKS[name])


def keep(folder: Path, every_s: float = LONG, run: str = RUN, **more: Any) -> tuple[Diligent, Stop]:
    stop = Stop()
    environment = more.pop("environment", ENVIRONMENT)
    return Diligent(Checkpoints(folder, run, environment, "then"), stop, every_s=every_s, **more), stop


def bits(net: Network, outcome: Outcome) -> list[bytes]:
    """Weights, epoch table without seconds, what was recognised, and the last answers."""
    told = [epoch.model_dump(exclude={"train_s"}) for epoch in outcome.epochs]
    assert outcome.answers_NK is not None
    return [
        save({key: value.contiguous() for key, value in net.state_dict().items()}),
        json.dumps(told).encode(),
        np.stack(outcome.right).tobytes(),
        outcome.answers_NK.tobytes(),
    ]


def go(name: str, keeper: Diligent | None = None, **more: Any) -> tuple[Network, Outcome]:
    net = network(name)
    torch.manual_seed(1234)  # what the process did before is not to matter
    return net, train(net, TRAINING, VALIDATION, RECIPE, 3, keeper=keeper, **more)


@cache
def undisturbed(name: str) -> list[bytes]:
    return bits(*go(name))


def stop_after(name: str, folder: Path, step: int) -> None:
    """A run that is asked to stop in the middle of a step, and leaves a checkpoint."""
    keeper, stop = keep(folder)

    def ask(taken: int, steps: int) -> None:
        if taken == step:
            stop._hear(15, None)  # what a signal does

    with pytest.raises(Stopped):
        go(name, keeper, on_step=ask)
    keeper.save()


@pytest.mark.parametrize("step", range(1, STEPS + 1))
@pytest.mark.parametrize("name", NETWORKS)
def test_stopped_after_any_step_it_goes_on_to_the_same_bits(name: str, step: int, tmp_path: Path) -> None:
    stop_after(name, tmp_path, step)
    begun: list[tuple[int, int, int]] = []
    seen: list[int] = []
    keeper, _ = keep(tmp_path, begun=lambda at, steps, epochs: begun.append((at, steps, len(epochs))))
    assert bits(*go(name, keeper, on_step=lambda at, steps: seen.append(at))) == undisturbed(name)
    assert begun == [(step, STEPS, (step - 1) // 4)]
    assert seen == list(range(step + 1, STEPS + 1))


class Killed(BaseException):
    """As by `kill -9`: nothing is saved any more."""


@pytest.mark.parametrize("name", NETWORKS)
def test_killed_again_and_again_it_comes_to_the_same_bits(name: str, tmp_path: Path) -> None:
    for step in range(1, STEPS + 1):
        keeper, _ = keep(tmp_path, every_s=0)

        def kill(taken: int, steps: int, at: int = step) -> None:
            if taken == at:
                raise Killed

        with pytest.raises(Killed):
            go(name, keeper, on_step=kill)
        assert [path.name for path in sorted(tmp_path.glob("*.json"))][-1:] != [] or step == 1
        assert len(list(tmp_path.iterdir())) <= 4
    keeper, _ = keep(tmp_path, every_s=0)
    assert bits(*go(name, keeper)) == undisturbed(name)
    # after the last epoch nothing is left but to hand out what came of it
    seen: list[int] = []
    keeper, _ = keep(tmp_path)
    assert bits(*go(name, keeper, on_step=lambda at, steps: seen.append(at))) == undisturbed(name)
    assert seen == []


@pytest.mark.parametrize("epoch", [1, 2])
def test_stopped_among_the_validation_images(epoch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, stop = keep(tmp_path)
    told: list[Epoch] = []
    real = loop.logits_and_loss

    def asked(net: Network, images: Batches) -> Any:
        if len(told) == epoch - 1:
            stop._hear(15, None)
        return real(net, images)

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(loop, "logits_and_loss", asked)
        go("cnn", keeper, on_epoch=told.append)
    keeper.save()
    keeper, _ = keep(tmp_path)
    assert bits(*go("cnn", keeper)) == undisturbed("cnn")


def test_stopped_because_of_another_rank_its_own_signal_does_not_end_the_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, stop = keep(tmp_path)
    stop.at_once = False
    real = Checkpoints.save

    def another_was_asked(taken: int, steps: int) -> None:
        if taken == 3:
            raise Stopped

    def hear(checkpoints: Checkpoints, state: Any) -> None:
        stop._hear(15, None)
        real(checkpoints, state)

    with pytest.raises(Stopped):
        go("cnn", keeper, on_step=another_was_asked)
    stop._hear(15, None)
    stop.signum = 0
    monkeypatch.setattr(Checkpoints, "save", hear)
    keeper.save()
    assert stop.signum == 15
    monkeypatch.undo()
    keeper, _ = keep(tmp_path)
    assert bits(*go("cnn", keeper)) == undisturbed("cnn")


def test_a_recorded_step_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "make_step", lambda net, recipe, steps: Recorded(net, recipe, steps, Again()))
    whole = bits(*go("gru"))
    for step in (1, 3, 4, 6, 8):
        folder = tmp_path / str(step)
        stop_after("gru", folder, step)
        keeper, _ = keep(folder)
        assert bits(*go("gru", keeper)) == whole


def rewrite(folder: Path, change: Callable[[dict[str, Any], dict[str, torch.Tensor]], None]) -> None:
    """Change the newest checkpoint and make its checksums right again."""
    path = max(folder.glob("*.json"))
    card, tensors = json.loads(path.read_text()), load(path.with_suffix(".safetensors").read_bytes())
    change(card, tensors)
    payload = save(tensors)
    path.with_suffix(".safetensors").write_bytes(payload)
    card["sha256"] = hashlib.sha256(payload).hexdigest()
    fields = {key: value for key, value in card.items() if key != "checksum"}
    card["checksum"] = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(card))


def parts(name: str, tmp_path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Numbers and tensors that are kept after step 6 of 8, and the tensors before the first step."""
    stop_after(name, tmp_path / "kept", 6)
    path = max((tmp_path / "kept").glob("*.json"))
    keeper, _ = keep(tmp_path / "fresh")

    def save_first(*args: Any, **more: Any) -> Any:
        keeper.save()
        raise Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Batches, "shuffled", save_first)
        go(name, keeper)
    fresh = load(max((tmp_path / "fresh").glob("*.safetensors")).read_bytes())
    return json.loads(path.read_text())["position"], load(path.with_suffix(".safetensors").read_bytes()), fresh


@pytest.mark.parametrize("name", NETWORKS)
def test_no_part_of_what_is_kept_can_be_left_out(name: str, tmp_path: Path) -> None:
    """Each tensor and each number is put back to what it was before the first step, with right checksums: the run
    is refused its checkpoint, or comes to other bits."""
    numbers, tensors, fresh = parts(name, tmp_path)
    seen = {"network", "optimiser", "chance", "outcome"}
    assert {key.partition(".")[0] for key in tensors} == seen
    many = [key for key in tensors if key.startswith(("network", "optimiser"))]
    chosen = set(tensors) - set(many) | set(many[:: max(1, len(many) // 40)])  # sequencer2d_nano has 273 of them
    for key, kept in tensors.items():
        if key not in chosen:
            continue
        begun: list[int] = []

        def put_back(card: dict[str, Any], found: dict[str, torch.Tensor], key: str = key) -> None:
            found[key] = fresh[key] if key in fresh else torch.zeros_like(found[key])

        if key in fresh and torch.equal(fresh[key], kept):
            pytest.fail(f"{key} did not change in six steps, so nothing is shown")
        assert changed(name, tmp_path, put_back, begun), key
        assert begun, f"{key} was refused"
    for key, value in numbers.items():
        if key in ("epoch_s", "train_s"):  # seconds, which are not compared
            continue

        def zero(card: dict[str, Any], found: dict[str, torch.Tensor], key: str = key, value: Any = value) -> None:
            card["position"][key] = type(value)()

        begun = []
        assert changed(name, tmp_path, zero, begun) or not begun, key


def changed(name: str, tmp_path: Path, change: Callable[..., None], begun: list[int]) -> bool:
    """Whether a run that goes on from a changed checkpoint ends in other bits."""
    folder = tmp_path / f"changed-{next(COUNT)}"
    folder.mkdir()
    for path in (tmp_path / "kept").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    rewrite(folder, change)
    keeper, _ = keep(folder, begun=lambda at, steps, epochs: begun.append(at))
    return bits(*go(name, keeper)) != undisturbed(name)


COUNT = itertools.count()


@pytest.mark.parametrize("field", ["run", "started", "environment", "changed", "position", "sha256", "checksum"])
def test_a_field_that_is_missing_is_refused(field: str, tmp_path: Path) -> None:
    stop_after("gru", tmp_path, 5)
    path = max(tmp_path.glob("*.json"))
    card = json.loads(path.read_text())
    del card[field]
    path.write_text(json.dumps(card))
    warned: list[str] = []
    keeper, _ = keep(tmp_path, warned=warned.append)
    assert bits(*go("gru", keeper)) == undisturbed("gru")
    (warning,) = warned
    assert warning.startswith("passed over checkpoint 000001 (")
    assert warning.endswith("); the run begins anew")


def twice(folder: Path) -> list[Path]:
    """Two checkpoints, after steps 3 and 6."""
    stop_after("gru", folder, 3)
    stop_after("gru", folder, 6)
    return sorted(folder.glob("*.json"))


def torn_tensors(path: Path) -> None:
    tensors = path.with_suffix(".safetensors")
    tensors.write_bytes(tensors.read_bytes()[:-100])


def torn_card(path: Path) -> None:
    path.write_text(path.read_text()[:-20])


def no_tensors(path: Path) -> None:
    path.with_suffix(".safetensors").unlink()


def flipped_bit(path: Path) -> None:
    payload = bytearray(path.with_suffix(".safetensors").read_bytes())
    payload[-7] ^= 4
    path.with_suffix(".safetensors").write_bytes(payload)


def flipped_digit(path: Path) -> None:
    path.write_text(path.read_text().replace('"epoch_right": ', '"epoch_right": 1'))


def pickled(path: Path) -> None:
    path.with_suffix(".safetensors").write_bytes(b"\x80\x04cos\nsystem\n(S'touch /tmp/never'\ntR.")


DAMAGES = {
    torn_tensors: "its tensors are torn or damaged, their checksum differs",
    torn_card: "torn",
    no_tensors: "its tensors cannot be read: No such file or directory",
    flipped_bit: "its tensors are torn or damaged, their checksum differs",
    flipped_digit: "damaged, its checksum differs",
    pickled: "its tensors are torn or damaged, their checksum differs",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_torn_one_is_passed_over_with_one_warning(damage: Callable[[Path], None], tmp_path: Path) -> None:
    _, newest = twice(tmp_path)
    damage(newest)
    warned: list[str] = []
    begun: list[int] = []
    keeper, _ = keep(tmp_path, warned=warned.append, begun=lambda at, steps, epochs: begun.append(at))
    assert bits(*go("gru", keeper)) == undisturbed("gru")
    assert begun == [3]
    assert warned == [f"passed over checkpoint 000002 ({DAMAGES[damage]}); going on from 000001"]


def test_those_of_another_run_are_never_mixed_in(tmp_path: Path) -> None:
    twice(tmp_path)
    warned: list[str] = []
    begun: list[int] = []
    keeper, _ = keep(
        tmp_path, run="b" * 64, warned=warned.append, begun=lambda at, steps, epochs: begun.append(at)
    )
    assert bits(*go("gru", keeper)) == undisturbed("gru")
    assert begun == []
    assert warned == [
        "passed over checkpoint 000002 (of another run), 000001 (of another run); the run begins anew"
    ]


def test_those_of_another_network_do_not_fit(tmp_path: Path) -> None:
    stop_after("cnn", tmp_path, 5)
    warned: list[str] = []
    keeper, _ = keep(tmp_path, warned=warned.append)
    assert bits(*go("gru", keeper)) == undisturbed("gru")
    (warning,) = warned
    assert "the run begins anew" in warning


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("threads", 2, "threads 1 → 2"),
        ("torch", "9.9", f"torch {ENVIRONMENT.torch} → 9.9"),
        ("kernels", "others", "kernels those of a test → others"),
        ("device", "cuda (X)", "device cpu → cuda (X)"),
    ],
)
def test_another_environment_is_told(field: str, value: Any, told: str, tmp_path: Path) -> None:
    stop_after("gru", tmp_path, 5)
    warned: list[str] = []
    other = ENVIRONMENT.model_copy(update={field: value})
    keeper, _ = keep(tmp_path, warned=warned.append, environment=other)
    go("gru", keeper)
    assert warned == [f"not bit-exact: {told} since the checkpoint it goes on from"]
    keeper.save()
    # and is not forgotten by those that go on from there
    warned.clear()
    keeper, _ = keep(tmp_path, warned=warned.append, environment=other)
    go("gru", keeper)
    assert (warned, keeper.checkpoints.changed) == ([], [told])


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_full_disk_leaves_the_one_before_intact_and_training_goes_on(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Nth fsync or rename fails, for each N of a save."""
    stop_after("gru", tmp_path / "whole", 2)
    for call, number in itertools.product(("fsync", "replace"), range(1, 5)):
        folder = tmp_path / f"{call}-{number}"
        folder.mkdir()
        for path in (tmp_path / "whole").iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        warned: list[str] = []
        keeper, _ = keep(folder, every_s=0, warned=warned.append)
        calls = itertools.count(1)
        real: Callable[..., Any] = getattr(files_os(), call)

        def failing(*args: Any, real: Callable[..., Any] = real, calls: Any = calls, number: int = number) -> Any:
            if next(calls) >= number:
                raise OSError(code, "No space left on device" if code == errno.ENOSPC else "Input/output error")
            return real(*args)

        with monkeypatch.context() as patch:
            patch.setattr(f"linewise.foundations.atomic.os.{call}", failing)
            assert bits(*go("gru", keeper)) == undisturbed("gru")
        assert len(warned) == 1
        assert warned[0].startswith(f"no checkpoint could be written in {folder} (")
        assert warned[0].endswith(
            "); the one before is intact, and training goes on: make room, it is tried again"
        )
        begun: list[int] = []
        keeper, _ = keep(folder, begun=lambda at, steps, epochs, begun=begun: begun.append(at))
        assert bits(*go("gru", keeper)) == undisturbed("gru")
        assert begun
        assert begun[0] >= 2
        assert not list(folder.glob(".*"))


def test_a_folder_that_was_moved_is_not_made_anew(tmp_path: Path) -> None:
    folder, warned = tmp_path / "run" / "checkpoint", []
    keeper, _ = keep(folder, 0.0, warned=warned.append)
    step_taken, elsewhere = keeper.step_taken, tmp_path / "elsewhere"

    def taken() -> float:
        if (folder / "000002.json").exists() and not elsewhere.exists():
            folder.parent.rename(elsewhere)
        return step_taken()

    keeper.step_taken = taken
    net, outcome = go("gru", keeper)
    assert not folder.parent.exists()
    assert warned == [
        f"no checkpoint could be written in {folder} (No such file or directory); the one before is intact, "
        "and training goes on: move the folder back, it is tried again"
    ]
    assert bits(net, outcome) == undisturbed("gru")


def files_os() -> Any:
    from linewise.foundations import atomic

    return atomic.os


def test_checkpoints_are_written_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock that ticks ten seconds a step: every 30 s, and at the end of an epoch."""
    from linewise.training import keeping

    clock = itertools.count(0, 10)
    now = [0.0]
    monkeypatch.setattr(keeping.time, "monotonic", lambda: now[0])
    written: list[int] = []
    real = Checkpoints.save

    def save(self: Checkpoints, state: Any) -> None:
        written.append(state.step)
        real(self, state)

    monkeypatch.setattr(Checkpoints, "save", save)

    def tick(taken: int, steps: int) -> None:
        now[0] = float(next(clock)) + 10

    keeper, _ = keep(tmp_path, every_s=30)
    go("gru", keeper, on_step=tick)
    assert written == [3, 4, 7, 8]
    assert len(list(tmp_path.glob("*.json"))) == files.KEPT


def test_a_slow_disk_gets_a_fiftieth_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from linewise.training import keeping

    now = [0.0]
    monkeypatch.setattr(keeping.time, "monotonic", lambda: now[0])
    written: list[float] = []

    def save(self: Checkpoints, state: Any) -> None:
        now[0] += 1.0
        written.append(now[0])

    monkeypatch.setattr(Checkpoints, "save", save)

    def tick(taken: int, steps: int) -> None:
        now[0] += 20.0

    keeper, _ = keep(tmp_path, every_s=1)
    go("gru", keeper, on_step=tick)
    assert written == [21.0, 82.0, 143.0]


def test_a_run_that_diverges_leaves_no_checkpoint_behind_it(tmp_path: Path) -> None:
    keeper, stop = keep(tmp_path)
    net = network("gru")
    with torch.no_grad():
        net.head.weight.fill_(float("nan"))
    outcome = train(net, TRAINING, VALIDATION, RECIPE, 3, keeper=keeper)
    assert outcome.diverged
    keeper.save()
    assert not tmp_path.joinpath("000001.json").exists()
    assert not stop.held


def test_a_card_repeats_its_numbers_to_the_bit(tmp_path: Path) -> None:
    stop_after("gru", tmp_path, 7)
    path = max(tmp_path.glob("*.json"))
    card = Card.model_validate_json(path.read_bytes())
    assert card.checksum == card.own_checksum()
    assert json.loads(card.model_dump_json()) == json.loads(path.read_text())

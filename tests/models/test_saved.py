"""Saved models that were damaged, changed or forged: refused with a message, nothing run."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save as to_bytes

from linewise.foundations.errors import SavedModelError
from linewise.models import create, create_model
from linewise.models.network import Network, NetworkConfig
from linewise.models.saved import load_model, save_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = create_model("lstm", num_classes=3, img_size=(6, 5), hidden=4)
    save_model(
        tmp_path,
        network,
        class_names=["a", "b", "c"],
        preprocessing={"mean": [0.5], "std": [0.5]},
        trained={"data": "none"},
        version="0",
    )
    return tmp_path


def message(folder: Path) -> str:
    with pytest.raises(SavedModelError) as caught:
        load_model(folder)
    assert caught.value.exit_code == 3
    return str(caught.value).replace(f"{folder}/", "")


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "model.json"
    card = json.loads(path.read_text())
    change(card)
    path.write_text(json.dumps(card))


def new_weights(folder: Path, payload: bytes) -> None:
    (folder / "model.safetensors").write_bytes(payload)
    edit(folder, lambda card: card.update(sha256=hashlib.sha256(payload).hexdigest()))


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_model(folder).network.state_dict())


def test_every_flipped_bit_of_the_weights_is_noticed(folder: Path) -> None:
    path = folder / "model.safetensors"
    payload = path.read_bytes()
    for place in range(0, len(payload), 97):
        damaged = bytearray(payload)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        assert message(folder).startswith(
            "model.safetensors: the checksum differs: the file was damaged or changed"
        )


def test_half_a_file(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "the checksum differs" in message(folder)


def test_half_a_file_with_a_matching_checksum(folder: Path) -> None:
    payload = (folder / "model.safetensors").read_bytes()
    new_weights(folder, payload[: len(payload) // 2])
    assert message(folder).startswith("model.safetensors: not a safetensors file (")


def test_weights_that_are_not_numbers(folder: Path) -> None:
    weights = tensors(folder)
    weights["head.bias"][1] = float("nan")
    new_weights(folder, to_bytes(weights))
    assert message(folder) == "model.safetensors: not a number in head.bias\n  expected: finite weights"


def test_weights_of_another_network_are_refused_with_the_differences(folder: Path) -> None:
    weights = tensors(folder)
    del weights["head.bias"]
    weights["tail.bias"] = torch.zeros(3)
    weights["head.weight"] = torch.zeros(3, 5)
    new_weights(folder, to_bytes(weights))
    assert message(folder) == (
        "model.safetensors: the weights do not fit the network: no head.bias; unexpected tail.bias; "
        "head.weight is (3, 5) torch.float32, not (3, 4) torch.float32\n"
        "  expected: the weights of the network in model.json"
    )


def test_a_pickle_is_not_opened(folder: Path, tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    new_weights(folder, pickle.dumps(Payload()))
    assert "not a safetensors file" in message(folder)
    assert not (tmp_path / "ran").exists()


def test_a_file_far_larger_than_described_is_not_read(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(1 << 33)  # sparse: 8 GiB of nothing
    assert message(folder).startswith("model.safetensors: 8,589,934,592 bytes\n  expected: about ")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda c: c.update(schema_version=2),
            "model.json: format version 2\n  expected: at most 1\n  to mend:  pip install --upgrade linewise",
        ),
        (
            lambda c: c["network"].update(name="os.system"),
            "model.json: the network 'os.system' is not known here\n  expected: one of ",
        ),
        (lambda c: c["network"].update(sizes={"hidden": 4, "evil": 1}), "model.json: unknown size of lstm 'evil'"),
        (lambda c: c.update(class_names=["a"]), "model.json: 1 class names for 3 classes"),
        (lambda c: c.pop("sha256"), "model.json: sha256 = "),
        (lambda c: c.update(surprise=1), "model.json: surprise = 1\n  expected: Extra inputs are not permitted"),
        (lambda c: c["network"].update(num_classes="many"), "model.json: network.num_classes = 'many'"),
        (lambda c: c["network"].update(in_chans=0), "model.json: in_chans = 0"),
        (lambda c: c["network"].update(img_size=[0, 8]), "model.json: height = 0"),
        (lambda c: c["network"].update(img_size=[10**9, 10**9]), "model.json: height = 1000000000"),
        (lambda c: c["network"]["sizes"].update(dropout=7), "model.json: dropout = 7"),
        (lambda c: c["network"]["sizes"].update(readout="soon"), "model.json: unknown readout 'soon'"),
        (lambda c: c["network"]["sizes"].update(reading="rwos"), "model.json: unknown reading 'rwos'"),
        (
            lambda c: c["network"]["sizes"].update(hidden=10**6),
            "model.json: lstm with these sizes has 4,000,0",
        ),
        (
            lambda c: c["network"]["sizes"].update(layers=10**9),
            "model.json: layers = 1,000,000,000\n  expected: a whole number from 1 to 256",
        ),
    ],
)
def test_a_description_that_cannot_be_trusted(
    folder: Path, change: Callable[[dict], object], expected: str
) -> None:
    edit(folder, change)
    assert message(folder).startswith(expected)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "[" * 100_000, "\x00\xff"])
def test_a_description_that_is_no_description(folder: Path, text: str) -> None:
    (folder / "model.json").write_text(text)
    assert message(folder).startswith("model.json: ")


def test_missing_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert message(folder) == "model.safetensors: cannot be read (No such file or directory)"


def test_the_card_says_what_it_is_for(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    assert text.startswith("# lstm for 3 classes\n")
    assert "Classes: `a, b, c`" in text


def test_a_study_or_a_file_in_place_of_a_run(folder: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    (study / "runs").mkdir(parents=True)
    (study / "runs" / "gru-0").symlink_to(folder)
    with pytest.raises(SavedModelError, match="no such file") as refused:
        load_model(study)
    assert refused.value.mend == f"name a run's folder, such as {study / 'runs' / 'gru-0'}"
    with pytest.raises(SavedModelError) as refused:
        load_model(folder / "model.json")
    assert str(refused.value).splitlines()[0] == f"{folder / 'model.json'}: is a file, no folder"


@pytest.mark.parametrize(
    ("runs", "asked", "example"),
    [
        (["runs/gru-0", "runs/lstm-1"], ".", "runs/gru-0"),
        (["runs/gru-0", "runs/lstm-1"], "runs/lstm-2", "runs/lstm-1"),
        (["runs/gru-0", "runs/lstm-1"], "runs/nothing-like-it", None),
        ([], "runs/lstm-0", None),
    ],
    ids=["a study", "the nearest beside it", "none is near", "none at all"],
)
def test_where_no_model_is_a_run_is_named(
    tmp_path: Path, runs: list[str], asked: str, example: str | None
) -> None:
    for run in runs:
        (tmp_path / run).mkdir(parents=True)
        (tmp_path / run / "model.json").write_text("{}")
    with pytest.raises(SavedModelError) as caught:
        load_model(tmp_path / asked)
    named = f"{tmp_path / example}" if example else "STUDY/runs/lstm-0"
    assert (caught.value.found, caught.value.where) == ("no such file", str(tmp_path / asked / "model.json"))
    assert caught.value.mend == f"name a run's folder, such as {named}"


def test_what_it_was_trained_on_and_which_weights_are_kept(folder: Path) -> None:
    card = load_model(folder).card
    assert card.trained == {"data": "none"}
    assert load_model(folder, sha256=card.sha256).card == card
    with pytest.raises(SavedModelError) as caught:
        load_model(folder, sha256="0" * 64)
    assert str(caught.value) == (
        f"{folder}: other weights than before (SHA-256 {card.sha256[:12]})\n"
        "  expected: those with SHA-256 000000000000"
    )


def test_a_description_of_4_mib(folder: Path) -> None:
    path = folder / "model.json"
    path.write_text(path.read_text().ljust(2**22))
    assert load_model(folder).card.class_names == ["a", "b", "c"]
    path.write_text(path.read_text() + " ")
    assert message(folder) == "model.json: larger than 4 MiB\n  expected: a short description of a model"


def test_the_deepest_network_that_is_none_is_laid_out_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by fuzzing: 1,024 cells without numbers, laid out twice, took more than a second."""
    laid_out: list[object] = []
    build = create._build

    def count(config: NetworkConfig) -> Network:
        laid_out.append(config)
        return build(config)

    monkeypatch.setattr(create, "_build", count)
    sizes = {"hidden": 128, "layers": 256, "reading": "rows+columns"}
    edit(folder, lambda card: card["network"].update(name="bigru", sizes=sizes))
    assert "do not fit" in message(folder)
    assert len(laid_out) == 1

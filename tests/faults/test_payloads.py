"""A payload planted in every file that is loaded, and nothing runs: each leaves a mark if it does."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import pickle
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from linewise.foundations.errors import LinewiseError
from linewise.foundations.folder import StudyFolder
from linewise.images import load, read_image
from linewise.images.preprocessing import Geometry
from linewise.models import create_model
from linewise.models.saved import load_model, save_model
from linewise.study.stopping import load_rule
from linewise.study.tuning.storage import mend_journal
from refusals import class_folders
from studies import make_study


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """What a payload leaves."""
    return tmp_path / "a-payload-ran"


@pytest.fixture
def payload(mark: Path) -> bytes:
    """A pickle that leaves the mark; here it is seen to do so."""

    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (mark,)

    data = pickle.dumps(Payload())
    pickle.loads(data)
    mark.unlink()
    return data


@pytest.fixture
def model(tmp_path: Path) -> Path:
    preprocessing = {"height": 8, "width": 8, "channels": 1, "mean": [0.5], "std": [0.5]}
    network = create_model("linear", num_classes=3, img_size=(8, 8))
    save_model(
        tmp_path / "run", network, class_names=list("abc"), preprocessing=preprocessing, trained={}, version="0"
    )
    return tmp_path / "run"


def object_array(payload: bytes) -> bytes:
    """A `.npy` file of objects whose pickle is the payload."""
    file = io.BytesIO()
    header = {"descr": "|O", "fortran_order": False, "shape": (3,)}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + payload


def spoilt_npz(path: Path, member: str, payload: bytes) -> None:
    """The archive with one of its arrays exchanged."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[f"{member}.npy"] = object_array(payload)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def refuse(call: Callable[[], object]) -> str:
    with pytest.raises(LinewiseError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize("member", ["images", "labels"])
def test_npz_of_images(tmp_path: Path, payload: bytes, mark: Path, member: str) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, images=np.zeros((3, 4, 4), np.uint8), labels=np.arange(3))
    spoilt_npz(path, member, payload)
    assert refuse(lambda: load(path)) == (
        f"{path}, {member}: is a pickled array, which is never read\n  expected: numbers or strings"
        "\n  to mend:  save it with a plain type, such as labels.astype(str)"
    )
    assert not mark.exists()


@pytest.mark.parametrize("name", ["x.npz", "x.csv", "train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_pickle_by_another_name(tmp_path: Path, payload: bytes, mark: Path, name: str, packed: bool) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / name).write_bytes(gzip.compress(payload) if packed else payload)
    if name.startswith("train"):
        (folder / "train-labels-idx1-ubyte").write_bytes(payload)
    refuse(lambda: load(folder if name.startswith("train") else folder / name))
    assert not mark.exists()


def test_an_image_that_is_a_pickle_or_a_program(tmp_path: Path, payload: bytes, mark: Path) -> None:
    geometry = Geometry(height=8, width=8, channels=1)
    postscript = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n({mark}) (w) file closefile\n".encode()
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    for data in (payload, postscript, svg, b"#!/bin/sh\ntouch " + bytes(mark)):
        for name in ("x.png", "x.eps", "x.jpg", "x.gif"):
            (tmp_path / name).write_bytes(data)
            refuse(lambda path=tmp_path / name: read_image(path, geometry))
    assert not mark.exists()


def test_the_pickled_cifar10_is_not_read(tmp_path: Path, payload: bytes, mark: Path) -> None:
    folder = tmp_path / "cifar10"
    folder.mkdir()
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"):
        (folder / name).write_bytes(payload)
        (folder / f"{name}.bin").write_bytes(payload)
    refuse(lambda: load("cifar10", data_dir=tmp_path))
    assert not mark.exists()


@pytest.mark.parametrize("name", ["../outside", "/tmp/linewise-outside", "a/../../outside"])
def test_an_archive_that_climbs_out(tmp_path: Path, own_cache: Path, name: str) -> None:
    with tarfile.open(tmp_path / "cifar10-images.tar.xz", "w:xz") as archive:
        member = tarfile.TarInfo(name)
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))
    refuse(lambda: load("cifar10", data_dir=tmp_path))
    written = [*tmp_path.rglob("*outside"), *own_cache.rglob("*outside")]
    assert all(path.is_relative_to(own_cache / "unpacked") for path in written)
    assert not Path("/tmp/linewise-outside").exists()


def test_safetensors_that_are_a_pickle(model: Path, payload: bytes, mark: Path) -> None:
    zipped = io.BytesIO()
    torch.save({"head.weight": torch.zeros(3)}, zipped)
    for data in (payload, zipped.getvalue()):
        (model / "model.safetensors").write_bytes(data)
        card = json.loads((model / "model.json").read_text())
        card["sha256"] = hashlib.sha256(data).hexdigest()
        (model / "model.json").write_text(json.dumps(card))
        assert refuse(lambda: load_model(model)).startswith(f"{model}/model.safetensors: not a safetensors file (")
    assert not mark.exists()


def test_a_description_that_is_a_pickle(model: Path, payload: bytes, mark: Path) -> None:
    (model / "model.json").write_bytes(payload)
    assert refuse(lambda: load_model(model)).startswith(f"{model}/model.json: cannot be read (")
    assert not mark.exists()


@pytest.mark.parametrize(
    "name",
    ["os.system", "subprocess:Popen", "linear.__init__", "__import__('os').system", "timm:../x", "../linear"],
)
def test_a_description_that_names_a_class(model: Path, name: str) -> None:
    card = json.loads((model / "model.json").read_text())
    for place in ("name", "class", "_target_", "__reduce__"):
        spoilt = {**card, "network": {**card["network"], place: name}}
        (model / "model.json").write_text(json.dumps(spoilt))
        refuse(lambda: load_model(model))


@pytest.mark.parametrize("kind", ["plain", "torch", "torch of old", "beside tensors"])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".safetensors"])
def test_foreign_weights(tmp_path: Path, payload: bytes, mark: Path, kind: str, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"

    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (mark,)

    if kind == "plain":
        path.write_bytes(payload)
    else:
        state = Payload() if kind != "beside tensors" else {"head.weight": torch.zeros(3), "x": Payload()}
        torch.save(state, path, _use_new_zipfile_serialization=kind != "torch of old")
    refuse(lambda: create_model("linear", num_classes=3, img_size=(8, 8), weights=path))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("file", "member"),
    [
        ("predictions.npz", "test_probabilities"),
        ("predictions.npz", "extra"),
        ("steps.npz", "steps"),
        ("../../gallery.npz", "images"),
        ("../../films.npz", "indices"),
    ],
)
def test_arrays_of_a_study(tmp_path: Path, payload: bytes, mark: Path, file: str, member: str) -> None:
    make_study(tmp_path / "s", errors={"lstm": 0.1}, seeds=1, num_test=40, readers=("lstm",))
    spoilt_npz(tmp_path / "s" / "runs" / "lstm-0" / file, member, payload)
    folder = StudyFolder.open(tmp_path / "s")
    (run,) = folder.runs()
    calls = {
        "predictions": lambda: run.predictions("test"),
        "steps": lambda: run.steps("test"),
        "gallery": folder.gallery,
    }
    call = {**calls, "films": folder.films}[Path(file).stem]
    assert f"cannot be used ({member}: holds pickled objects)" in refuse(call)
    assert not mark.exists()


def test_records_of_a_study_that_are_pickles(tmp_path: Path, payload: bytes, mark: Path) -> None:
    make_study(tmp_path / "s", errors={"lstm": 0.1}, seeds=1, num_test=40)
    run = tmp_path / "s" / "runs" / "lstm-0"
    for path in (
        run / "run.json",
        run / "epochs.csv",
        tmp_path / "s" / "openings.jsonl",
        tmp_path / "s" / "study.json",
    ):
        whole = path.read_bytes()
        path.write_bytes(payload)

        def read() -> None:
            folder = StudyFolder.open(tmp_path / "s")
            folder.openings()
            for found in folder.runs():
                found.epochs()

        refuse(read)
        path.write_bytes(whole)
    (run / "stop.json").write_bytes(payload)
    refuse(lambda: load_rule(run))
    journal = tmp_path / "journal.log"
    journal.write_bytes(payload + b"\n" + payload)
    refuse(lambda: mend_journal(journal))
    assert not mark.exists()


@pytest.mark.parametrize(
    "toml",
    [
        'models = "!!python/object/apply:os.system [touch MARK]"',
        "models = \"lstm:hidden=__import__('os').system('touch MARK')\"",
        'augment = "shift=__import__(\'os\')"',
        'out = "$(touch MARK)"\nmodels = "nosuch"',
        'size = "`touch MARK`"',
        'storage = "sqlite:///MARK"',
        "__class__ = \"os.system\"",
    ],
)  # fmt: skip
def test_configuration(
    linewise: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mark: Path, toml: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text(toml.replace("MARK", str(mark)))
    said = linewise("compare", "digits", "--config", "study.toml")
    assert said.code == 2
    assert said.err.startswith("error: ")
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


def test_formulas_from_a_table_stay_text(
    linewise: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels of a CSV that a spreadsheet would compute: class names here, disarmed in every table that is written."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    formulas = ("=cmd|' /C calc'!A0", "+1+1", "@SUM(1)", "-2+3")
    rows = [f"{formulas[i % 4]},{','.join(map(str, rng.integers(0, 256, 16)))}" for i in range(40)]
    (tmp_path / "x.csv").write_text("label," + ",".join(f"p{i}" for i in range(16)) + "\n" + "\n".join(rows))
    said = linewise(
        "compare", "x.csv", "--models", "linear", "--epochs", 1, "--seeds", 1, "--jobs", 0, "--out", "s"
    )
    assert said.code == 0, said.err
    assert set(StudyFolder.open(tmp_path / "s").spec().data.class_names) == set(formulas)
    for table in (tmp_path / "s").rglob("*.csv"):
        for line in table.read_text(encoding="utf-8").splitlines():
            assert not [cell for cell in line.split(",") if cell.lstrip('"').startswith(formulas)]


def test_a_cache_that_somebody_else_filled(tmp_path: Path, own_cache: Path, payload: bytes, mark: Path) -> None:
    root = class_folders(tmp_path / "pictures")
    expected = load(root).record.fingerprint
    for path in (own_cache / "decoded").iterdir():
        path.write_bytes(object_array(payload) if path.suffix == ".npy" else payload)
    assert load(root).record.fingerprint == expected
    assert not mark.exists()
    shutil.rmtree(own_cache)


def test_metadata_of_an_image_is_not_believed(tmp_path: Path, payload: bytes, mark: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("pickle", payload.decode("latin1"))
    Image.new("L", (8, 8)).save(tmp_path / "x.png", pnginfo=info, exif=b"Exif\0\0" + payload)
    read_image(tmp_path / "x.png", Geometry(height=8, width=8, channels=1))
    assert not mark.exists()

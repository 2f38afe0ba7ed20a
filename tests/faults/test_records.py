"""A study's records damaged, removed or exchanged for something else, then the study gone on with and reported."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from linewise.foundations.arrays import read_films, read_gallery, read_predictions, read_steps
from linewise.foundations.errors import DataError
from linewise.foundations.names import shown
from linewise.foundations.npz import NpzError, open_npz
from studies import make_study

OPTIONS = ("--models", "linear", "--epochs", 1, "--seeds", 1, "--jobs", 0, "--no-report")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small tuned study, trained in earnest."""
    from linewise.images import SplitOptions, load
    from linewise.study.comparison import run_study
    from linewise.study.config import make_config
    from linewise.study.executors import InProcess

    path = tmp_path_factory.mktemp("finished") / "s"
    images = load("digits", splits=SplitOptions(images=100))
    run_study(images, make_config(models=["linear"], seeds=1, epochs=1, tune=1, tune_epochs=1), path, InProcess())
    return path


@pytest.fixture
def study(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(finished, tmp_path / "s")


def go_on(linewise: Callable, study: Path):
    return linewise(
        "compare", "digits", "--images", 100, *OPTIONS, "--tune", 1, "--tune-epochs", 1, "--out", study.name
    )


@pytest.mark.parametrize("name", ["study.json", "openings.jsonl", "tuning/tuning.json", "runs/linear-0/run.json"])
def test_a_folder_where_a_record_should_be(linewise: Callable, study: Path, name: str) -> None:
    (study / name).unlink()
    (study / name).mkdir()
    said = go_on(linewise, study)
    assert "Traceback" not in said.err
    if name == "study.json":
        assert (said.code, said.err) == (
            2, "error: s: exists and is not a study\n  to mend:  choose another --out, or an empty folder\n"
        )  # fmt: skip
    else:
        assert (said.code, said.err) == (3, f"error: s/{name}: cannot be read (Is a directory)\n")
    said = linewise("report", study.name, "--no-figures")
    assert said.code == 3
    assert said.err.startswith("error: s")
    assert "Traceback" not in said.err


@pytest.mark.parametrize("name", ["predictions.npz", "epochs.csv"])
def test_a_folder_where_answers_should_be(linewise: Callable, study: Path, name: str) -> None:
    path = study / "runs" / "linear-0" / name
    path.unlink()
    path.mkdir()
    said = linewise("report", study.name, "--no-figures")
    assert said.code == 3
    assert said.err.startswith(f"error: s/runs/linear-0/{name}: cannot be ")
    assert "Is a directory" in said.err


def test_a_removed_log_of_openings_is_noticed(linewise: Callable, study: Path) -> None:
    (study / "openings.jsonl").unlink()
    said = go_on(linewise, study)
    assert said.code == 0, said.err
    told = "openings.jsonl does not tell of the opening for linear-0: it was removed or changed, and the report says so"
    assert " ".join((said.out + said.err).split()).count(told) == 1
    assert linewise("report", study.name, "--no-figures").code == 0
    warnings = json.loads((study / "report" / "verdict.json").read_text())["warnings"]
    assert {
        "code": "opening-not-logged",
        "text": "openings.jsonl does not tell of the opening for 1 tested run, such as linear-0: it was removed or changed.",
    } in warnings  # fmt: skip
    assert "openings.jsonl does not tell" in (study / "report" / "index.html").read_text(encoding="utf-8")


def test_a_log_that_is_whole_raises_no_warning(linewise: Callable, study: Path) -> None:
    said = go_on(linewise, study)
    assert "openings.jsonl" not in said.out + said.err
    assert linewise("report", study.name, "--no-figures").code == 0
    assert "opening-not-logged" not in (study / "report" / "verdict.json").read_text()


def test_a_run_copied_under_another_name(linewise: Callable, tmp_path: Path) -> None:
    """Else one run would be counted as two."""
    make_study(tmp_path / "s", errors={"lstm": 0.2, "cnn": 0.1}, seeds=2, num_test=40)
    shutil.rmtree(tmp_path / "s" / "runs" / "lstm-1")
    shutil.copytree(tmp_path / "s" / "runs" / "lstm-0", tmp_path / "s" / "runs" / "lstm-1")
    said = linewise("report", tmp_path / "s", "--no-figures")
    assert said.code == 3
    assert said.err.replace(str(tmp_path), "DIR") == (
        "error: DIR/s/runs/lstm-1/run.json: the record of lstm, seed 0\n  expected: lstm, seed 1"
        "\n  to mend:  remove this run's folder; the same `linewise compare --out` trains it again\n"
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: s["seeds"].append(0), "Value error, each of the seeds once"),
        (lambda s: s["models"].append(s["models"][0]), "Value error, each of the models once"),
        (lambda s: s["data"]["class_names"].append("0"), "Value error, each class name once"),
        (lambda s: s["data"]["check"].update(duplicates=[1]), "Input should be an object"),
        (lambda s: s["data"]["check"].update(warnings=[{"code": "x"}]), "Field required"),
        (lambda s: s["data"]["check"].update(balance="even"), "Input should be a valid number"),
        (lambda s: s["seeds"].append(10**30), "Input should be less than 9223372036854775808"),
        (lambda s: s.update(schema_version=2), "Input should be 1"),
    ],
)  # fmt: skip
def test_a_specification_that_contradicts_itself(
    linewise: Callable, tmp_path: Path, change: Callable[[dict], object], told: str
) -> None:
    make_study(tmp_path / "s", errors={"lstm": 0.2}, seeds=1, num_test=40)
    path = tmp_path / "s" / "study.json"
    spec = json.loads(path.read_text())
    change(spec)
    path.write_text(json.dumps(spec))
    said = linewise("report", tmp_path / "s", "--no-figures")
    assert said.code == 3
    assert said.err.startswith(f"error: {path}: ")
    assert f"\n  expected: {told}" in said.err
    assert "Traceback" not in said.err


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def crafted(dtype: str, shape: tuple[int, ...], body: bytes = b"", version: int = 1) -> bytes:
    """An archive with one array `x` whose header says what it likes."""
    head = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    member = b"\x93NUMPY" + bytes([version, 0]) + len(head).to_bytes(2, "little") + head + body
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", member)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (crafted("|u1", (10**12,), bytes(5)), "x: declares 1,000,000,000,000 bytes and holds 5"),
        (crafted("|u1", (3,), bytes(5)), "x: declares 3 bytes and holds 5"),
        (crafted("<f8", (-1,), bytes(8)), "x: is of type float64 and shape (-1,)"),
        (crafted("<U0", (28, 2**31)), "x: is of type <U0 and shape (28, 2147483648)"),
        (crafted("|V0", (2**40,)), "x: is of type |V0 and shape (1099511627776,)"),
        (crafted("|V8", (1,), bytes(8)), "x: is of type |V8 and shape (1,)"),
        (crafted("|O", (1,), b"cos\nsystem\n"), "x: holds pickled objects"),
        (crafted("<U1", (1,), b"\xff\xff\xff\xff"), "x: holds texts that are no Unicode"),
        (crafted("<U1", (1,), b"\0\xd8\0\0"), "x: holds texts that are no Unicode"),
        (crafted("|u1", (1,), b"1", version=9), "x: is in version 9.0 of numpy's format"),
        (b"PK\5\6" + bytes(18), ""),
        (b"no archive", "File is not a zip file"),
        (b"", "File is not a zip file"),
    ],
)  # fmt: skip
def test_arrays_that_are_not_read(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(data)

    def read() -> list[np.ndarray]:
        with open_npz(path) as archive:
            return [archive.read(name) for name in archive.names]

    if not reason:
        assert read() == []
        return
    with pytest.raises(NpzError) as caught:
        read()
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=">u2").reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.array(["a", "猫", ""]),
        np.array(7), np.zeros((0, 3)), np.array([True, False]), np.array([b"ab", b"c"]), np.array([1j]),
        np.array(["2026-01-01"], "M8[D]"), np.arange(3, dtype=np.float16),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)  # fmt: skip
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_comes_back(tmp_path: Path, array: np.ndarray, save: Callable) -> None:
    save(tmp_path / "x.npz", one=array, two=array)
    with open_npz(tmp_path / "x.npz") as archive, np.load(tmp_path / "x.npz") as expected:
        assert archive.names == ["one", "two"]
        for name in archive.names:
            found = archive.read(name)
            assert found.dtype == expected[name].dtype
            np.testing.assert_array_equal(found, expected[name])


def test_two_megabytes_of_records_that_unpack_to_two_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "predictions.npz"
    head = b"\x93NUMPY\1\0" + (118).to_bytes(2, "little")
    head += f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({2**31 - 128},), }}".encode().ljust(117) + b"\n"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("test_predicted.npy", "w", force_zip64=True) as file,
    ):
        file.write(head)
        for _ in range(8):  # 128 MB: the rest is claimed only
            file.write(bytes(2**24))
    with pytest.raises(DataError) as caught:
        read_predictions(path, "test")
    assert str(caught.value).replace(str(tmp_path), "DIR") == (
        f"DIR/predictions.npz: cannot be used (test_predicted: unpacks from {zipfile.ZipFile(path).infolist()[0].compress_size:,}"
        f" to {2**27 + 128:,} bytes)\n  expected: the arrays that `linewise compare` wrote"
        "\n  to mend:  remove this run's folder; the same `linewise compare --out` trains it again"
    )


HALF = np.full((3, 2), 0.5, np.float16)
LABELS = np.zeros(3, np.uint8)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"test_probabilities": HALF.astype(str)}, {"test_probabilities": HALF.astype(complex)},
        {"test_probabilities": HALF - 1}, {"test_probabilities": HALF * np.float16(np.nan)}, {"test_probabilities": HALF * 3},
        {"test_predicted": LABELS.astype(float)}, {"test_predicted": LABELS + 2}, {"test_labels": LABELS[:2]},
        {"test_labels": LABELS.astype("M8[s]")}, {"test_labels": LABELS[:, None]}, {"test_probabilities": HALF[:0]},
    ],
    ids=lambda arrays: next(f"{name} {a.dtype} {a.shape} {a.ravel()[:1]}" for name, a in arrays.items()),
)  # fmt: skip
def test_answers_that_are_none(tmp_path: Path, spoilt: dict[str, np.ndarray]) -> None:
    whole = {"test_probabilities": HALF, "test_predicted": LABELS, "test_labels": LABELS}
    path = tmp_path / "predictions.npz"
    path.write_bytes(npz(**whole))
    assert read_predictions(path, "test") is not None
    path.write_bytes(npz(**{**whole, **spoilt}))
    with pytest.raises(DataError, match="the arrays of the test split do not fit each other"):
        read_predictions(path, "test")


@pytest.mark.parametrize(
    "array", [np.array(3), np.array("猫"), np.array([1.5]), np.zeros((2, 2), np.uint8)], ids=repr
)
def test_arrays_of_another_kind_anywhere(tmp_path: Path, array: np.ndarray) -> None:
    """Each array of the other files exchanged, one at a time."""
    make_study(tmp_path, errors={"lstm": 0.2}, seeds=1, num_test=40, readers=("lstm",))
    readers = {
        "runs/lstm-0/steps.npz": lambda path: read_steps(path, "test"),
        "gallery.npz": read_gallery,
        "films.npz": read_films,
    }
    for name, read in readers.items():
        path = tmp_path / name
        with np.load(path) as arrays:
            whole = dict(arrays)
        for key in whole:
            if key.startswith("validation") or (key.startswith("seen") and array.shape == (2, 2)):
                continue
            path.write_bytes(npz(**{**whole, key: array}))
            with pytest.raises(DataError, match="do not fit each other"):
                read(path)
        path.write_bytes(npz(**whole))
        read(path)


def test_names_for_people() -> None:
    assert shown("cat") == "cat"
    assert shown("a\nb\x1b[2J") == "a\\nb\\x1b[2J"
    hebrew = "\u05d7\u05ea\u05d5\u05dc"
    assert shown(hebrew) == f"\u2068{hebrew}\u2069"
    assert shown(f"a{hebrew}\u202e\u2069b") == f"\u2068a{hebrew}\\u202e\\u2069b\u2069"
    assert str(DataError("x\x1b[2J", where="a\nb")) == "a\\nb: x\\x1b[2J"
    assert len(str(DataError("x" * 10_000))) <= 2000

"""`linewise predict`: every way in, every form out, and what cannot be read does not stop the rest."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from linewise.export.exporting import export_run
from linewise.study.prediction import RunModel
from untrained import image, write_image, write_rule, write_run

AWKWARD = ["=cmd()", "<script>alert(1)</script>", "a\x1b[2Jb", '猫, "x"']


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", "gru", hidden=9)


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Put bytes on standard input."""

    def put(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return put


def folder_of(tmp_path: Path, count: int) -> list[Path]:
    return [write_image(tmp_path / "images" / f"{n:03}.png", n) for n in range(count)]


def test_the_answers_are_those_of_the_run(linewise: Callable[..., Any], tmp_path: Path, run: Path) -> None:
    files = folder_of(tmp_path, 20)
    said = linewise("predict", run, tmp_path / "images", "--json", "--top", 2)
    assert (said.code, said.err) == (0, "")
    model = RunModel(run)
    for n, (answer, path) in enumerate(zip(json.loads(said.out), files, strict=True)):
        p_K = model.probabilities(image(n)[None])[0]
        assert answer["path"] == str(path)
        assert [likely["name"] for likely in answer["top"]] == ["abcd"[k] for k in (-p_K).argsort()[:2]]
        assert answer["top"][0]["probability"] == pytest.approx(float(p_K.max()), abs=1e-6)


def test_json_is_one_array_and_a_line_for_each_image(
    linewise: Callable[..., Any], tmp_path: Path, run: Path
) -> None:
    folder_of(tmp_path, 3)
    lines = linewise("predict", run, tmp_path / "images", "--json").out.splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("[", "]", 5)
    assert [json.loads(line.removesuffix(","))["path"][-7:] for line in lines[1:-1]] == [
        "000.png", "001.png", "002.png",
    ]  # fmt: skip
    none = linewise("predict", run, tmp_path / "missing.png", "--json")
    assert (json.loads(none.out), none.code) == ([], 3)


def test_csv_is_inert_in_a_spreadsheet(
    linewise: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "run", "mlp", AWKWARD)
    monkeypatch.chdir(tmp_path)
    names = ["=1+1.png", "@a.png", "+b.png", "c,d\ne.png"]
    for name in names:
        write_image(tmp_path / name)
    rows = list(csv.DictReader(io.StringIO(linewise("predict", run, *names, "--csv", "--top", 9).out)))
    assert list(rows[0]) == ["path", *(f"{kind}_{n}" for n in range(1, 5) for kind in ("class", "probability"))]
    assert [row["path"] for row in rows] == ["'=1+1.png", "'@a.png", "'+b.png", "c,d\ne.png"]
    assert {rows[0][f"class_{n}"] for n in range(1, 5)} == {"'=cmd()", *AWKWARD[1:]}
    assert sum(float(rows[0][f"probability_{n}"]) for n in range(1, 5)) == pytest.approx(1, abs=1e-4)


def test_lines_hide_nothing(linewise: Callable[..., Any], tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "mlp", AWKWARD)
    said = linewise("predict", run, write_image(tmp_path / "two\nlines\x1b[31m.png"), "--top", 4)
    assert len(said.out.splitlines()) == 1
    assert "two\\nlines\\x1b[31m.png: " in said.out
    assert "a\\x1b[2Jb " in said.out
    assert "\x1b" not in said.out


def test_what_cannot_be_read_is_listed_at_the_end(linewise: Callable[..., Any], tmp_path: Path, run: Path) -> None:
    files = folder_of(tmp_path, 4)
    files[1].write_bytes(b"x")
    files[2].write_bytes(files[2].read_bytes()[:60])
    (tmp_path / "images" / "notes.txt").write_text("hello")
    said = linewise("predict", run, tmp_path / "images", tmp_path / "none.png")
    assert said.code == 3
    assert [line.split(": ")[0] for line in said.out.splitlines()] == [str(files[0]), str(files[3])]
    assert said.err.splitlines() == [
        f"warning: 1 file left out, no images: {tmp_path / 'images' / 'notes.txt'}",
        f"error: {files[1]}: is text, no image",
        f"error: {files[2]}: is cut off: the image ends early",
        f"error: {tmp_path / 'none.png'}: does not exist",
        "2 images answered, 3 could not be read",
    ]


def test_a_name_beside_is_offered_for_one_that_is_not_there(
    linewise: Callable[..., Any], tmp_path: Path, run: Path
) -> None:
    write_run(tmp_path / "other", "mlp")
    said = linewise("predict", tmp_path / "runn", "x.png")
    assert said.code == 3
    assert said.err.splitlines()[-1].endswith(f"name a run's folder, such as {run}")


@pytest.mark.parametrize(("mean", "ground", "words"), [
    (0.13, 255, "dark on light, where the network learned light on dark: 1 of 2 images;"),
    (0.87, 0, "light on dark, where the network learned dark on light: 1 of 2 images;"),
    (0.5, 255, ""), (0.13, 128, ""), (0.87, 128, ""),
])  # fmt: skip
def test_images_the_other_way_round_are_named(
    linewise: Callable[..., Any], tmp_path: Path, mean: float, ground: int, words: str
) -> None:
    run = write_run(tmp_path / "run", "mlp")
    card = json.loads((run / "model.json").read_text())
    card["preprocessing"]["mean"] = [mean]
    (run / "model.json").write_text(json.dumps(card))
    drawn = np.full((12, 12), ground, np.uint8)
    drawn[3:9, 4:6] = 255 - ground
    Image.fromarray(drawn).save(tmp_path / "drawn.png")
    Image.fromarray(255 - drawn).save(tmp_path / "negative.png")
    said = linewise("predict", run, tmp_path / "drawn.png", tmp_path / "negative.png")
    assert said.code == 0
    assert (words in said.err) if words else (said.err == "")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_answers_that_are_broken_off_are_whole_json(tmp_path: Path, run: Path, signum: int) -> None:
    listed = f"{write_image(tmp_path / 'a.png')}\n" * 40_000
    (tmp_path / "list").write_text(listed)
    command = [sys.executable, "-m", "linewise", "predict", str(run), "-", "--json"]
    with (tmp_path / "list").open() as stdin, subprocess.Popen(
        command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        begun = [process.stdout.readline() for _ in range(10)]
        process.send_signal(signum)
        rest, said = process.stdout.read(), process.stderr.read()
    answers = json.loads("".join(begun) + rest)
    assert 9 <= len(answers) < 40_000
    assert {len(answer["top"]) for answer in answers} == {3}
    assert (process.returncode, "Traceback" in said) == (128 + signum, False)


def test_an_image_or_a_list_on_standard_input(
    linewise: Callable[..., Any], tmp_path: Path, run: Path, give: Callable[[bytes], None]
) -> None:
    first, second = folder_of(tmp_path, 2)
    whole = json.loads(linewise("predict", run, first, second, "--json").out)
    give(first.read_bytes())
    (alone,) = json.loads(linewise("predict", run, "-", "--json").out)
    assert alone["path"] == "-"
    for found, wanted in zip(alone["top"], whole[0]["top"], strict=True):
        assert found["name"] == wanted["name"]
        assert found["probability"] == pytest.approx(wanted["probability"], abs=1e-6)
    give(f"{first}\n{second}\n".encode())
    assert json.loads(linewise("predict", run, "-", "--json").out) == whole
    give(b"")
    said = linewise("predict", run, "-")
    assert (said.code, said.err.splitlines()[0]) == (3, "error: -: nothing came")


def test_thousands_of_images(
    linewise: Callable[..., Any], tmp_path: Path, run: Path, give: Callable[[bytes], None]
) -> None:
    files = folder_of(tmp_path, 7)
    asked = [files[n % 7] for n in range(5000)]
    give("\n".join(map(str, asked)).encode())
    rows = list(csv.DictReader(io.StringIO(linewise("predict", run, "-", "--csv", "--top", 1).out)))
    assert [row["path"] for row in rows] == list(map(str, asked))
    assert len({(row["path"], row["class_1"], f"{float(row['probability_1']):.4f}") for row in rows}) == 7


def test_the_steps_read_are_told_where_there_is_a_rule(
    linewise: Callable[..., Any], tmp_path: Path, run: Path
) -> None:
    (file,) = folder_of(tmp_path, 1)
    assert linewise("predict", run, file).out.endswith("%\n")
    write_rule(run, 0.45)
    stop = RunModel(run).trace(image(0)).stopped
    assert linewise("predict", run, file).out.endswith(f" (--early would read {stop} of 12 steps)\n")
    assert linewise("predict", run, file, "--early").out.endswith(f" ({stop} of 12 steps read)\n")
    (row,) = csv.DictReader(io.StringIO(linewise("predict", run, file, "--csv", "--early").out))
    assert (row["read"], row["steps"], row["enough"]) == (str(stop), "12", "")
    (answer,) = json.loads(linewise("predict", run, file, "--json").out)
    assert (answer["read"], answer["steps"], answer["enough"]) == (None, 12, stop)
    write_rule(run, 0.45, sha256="2" * 64)
    said = linewise("predict", run, file)
    assert (said.code, said.out.endswith("%\n")) == (0, True)
    assert said.err == f"warning: {run / 'stop.json'}: found for other weights, and not used\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--json", "--csv"], "error: --json and --csv together\n  expected: one of them\n"),
        (["--out", "x"], "error: --out: a folder for pages that are not asked for\n  to mend:  add --explain\n"),
    ],
)
def test_options_that_do_not_go_together(
    linewise: Callable[..., Any], tmp_path: Path, run: Path, options: list[str], said: str
) -> None:
    found = linewise("predict", run, write_image(tmp_path / "a.png"), *options)
    assert (found.code, found.err, found.out) == (2, said, "")


def test_pages_of_several_images(
    linewise: Callable[..., Any], tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = folder_of(tmp_path, 3)
    files[1].write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    said = linewise("predict", run, "images", "--explain", "--json")
    assert (said.code, len(json.loads(said.out))) == (3, 2)
    assert said.err.startswith("pages: explanations/index.html\n")
    assert sorted(path.name for path in Path("explanations").iterdir()) == ["000.html", "002.html", "index.html"]
    assert "images/001.png: is empty" in Path("explanations/index.html").read_text()
    model, page = RunModel(run), Path("explanations/002.html").read_text()
    settled = model.trace(image(2)).settled
    assert f"From row {settled} on its answer was" in page
    assert linewise("predict", run, "images/000.png", "--explain").err == "pages: explanations/000.html\n"


def test_pages_that_cannot_be_written_are_refused_first(
    linewise: Callable[..., Any], tmp_path: Path, run: Path
) -> None:
    file = write_image(tmp_path / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.html").write_text("mine")
    said = linewise("predict", run, file, "--explain", "--out", tmp_path / "out")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"error: {tmp_path / 'out' / 'a.html'}: is there already, and no page of ours\n")
    assert (tmp_path / "out" / "a.html").read_text() == "mine"
    said = linewise("predict", run, file, "--explain", "--out", file)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"error: {file}: cannot be written (File exists)\n")


@pytest.mark.parametrize("name", ["mlp", "bilstm", "gru"])
def test_every_network_has_pages(linewise: Callable[..., Any], tmp_path: Path, name: str) -> None:
    run = write_run(tmp_path / "run", name, AWKWARD, in_chans=3)
    file = write_image(tmp_path / "<b>.png", channels=3)
    said = linewise("predict", run, file, "--explain", "--out", tmp_path / "out")
    assert (said.code, said.err) == (0, f"pages: {tmp_path / 'out' / 'b.html'}\n")
    page = (tmp_path / "out" / "b.html").read_text()
    assert "<script" not in page
    assert "&lt;b&gt;.png" in page


NO_TORCH = """
import sys
class NoTorch:
    def find_spec(self, name, *rest):
        if name.partition(".")[0] == "torch":
            raise ImportError("no torch here")
sys.meta_path.insert(0, NoTorch())
sys.argv = ["linewise", *sys.argv[1:]]
from linewise.__main__ import main
main()
"""


def test_an_exported_model_answers_without_torch_and_a_terminal_sees_a_bar(
    linewise: Callable[..., Any], tmp_path: Path, run: Path
) -> None:
    export_run(run, tmp_path / "model.onnx")
    folder_of(tmp_path, 300)
    want = json.loads(linewise("predict", run, tmp_path / "images", "--json").out)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", NO_TORCH, "predict", tmp_path / "model.onnx", tmp_path / "images", "--json"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
        out, _ = process.communicate(timeout=60)
    os.close(theirs)
    seen = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert process.returncode == 0, seen
    assert "predict" in seen
    assert "100%" in seen
    for found, wanted in zip(json.loads(out), want, strict=True):
        assert found["path"] == wanted["path"]
        assert [c["name"] for c in found["top"]] == [c["name"] for c in wanted["top"]]
        assert [c["probability"] for c in found["top"]] == pytest.approx(
            [c["probability"] for c in wanted["top"]], abs=1e-5
        )


def test_an_exported_model_has_pages_and_no_rule(linewise: Callable[..., Any], tmp_path: Path, run: Path) -> None:
    export_run(run, tmp_path / "model.onnx")
    file = write_image(tmp_path / "a.png")
    said = linewise("predict", tmp_path / "model.onnx", file, "--explain", "--out", tmp_path / "out")
    assert said.code == 0
    page = (tmp_path / "out" / "a.html").read_text()
    assert "answers at its end only" in page
    assert "Rows it rests on" in page
    said = linewise("predict", tmp_path / "model.onnx", file, "--early")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("error: --early: an exported model has no rule to stop by\n")


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path, run: Path) -> None:
    folder_of(tmp_path, 600)
    for form in ("--json", "--csv", "--top=4"):
        command = [sys.executable, "-m", "linewise", "predict", run, tmp_path / "images", form]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stderr
            process.stdout.readline()
            process.stdout.close()
            said = process.stderr.read()
            assert (process.wait(60), said) == (141, b""), form

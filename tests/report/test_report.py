"""The report of many kinds of study: whole, self-contained, inert, and right."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import chromium
from linewise.analysis import summarise
from linewise.analysis.mistakes import mistakes
from linewise.foundations.errors import DataError
from linewise.foundations.folder import StudyFolder
from linewise.report import build
from linewise.report.galleries import IMAGES_PER_LIST, IMAGES_PER_PAIR, pairs_shown
from linewise.report.pictures import pictures
from studies import make_study, read_csv

AWKWARD = [
    "<script>alert(1)</script>",
    "=cmd()",
    "猫",
    'a "quoted" & \\name',
    "a name that is far too long for any axis",
]
SECTIONS = [
    "networks",
    "curves",
    "cost",
    "confusions",
    "pairs",
    "mistakes",
    "panel",
    "overlap",
    "difficulty",
    "calibration",
    "data",
    "protocol",
    "rebuild",
]


class Page(HTMLParser):
    """Elements, addresses and texts of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text = ""
        self._inside = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag if tag in ("script", "style") else self._inside
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            attrs, text = self.scripts[-1]
            self.scripts[-1] = attrs, text + data
        elif not self._inside:
            self.text += data

    def data(self, name: str) -> object:
        return next(json.loads(text) for attrs, text in self.scripts if attrs.get("id") == name)


def test_one_page_with_all_sections_in_order_and_no_address_outside(tmp_path: Path) -> None:
    page = Page(build(make_study(tmp_path), figures=False))
    assert [a["id"] for tag, a in page.tags if tag == "section"] == SECTIONS
    assert sum(tag == "h1" for tag, _ in page.tags) == 1
    addresses = [a[k] or "" for _, a in page.tags for k in ("src", "href", "action", "data") if k in a]
    assert all(address.startswith(("#", "data:")) for address in addresses), addresses
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert (tmp_path / "report" / "index.html").read_text(encoding="utf-8").count("window.vegaEmbed") == 1
    targets = {a["href"] for tag, a in page.tags if tag == "a"}
    assert targets - {"#accuracy"} == {f"#{name}" for name in SECTIONS}  # the verdicts link to that chart too


def test_the_page_says_what_the_summary_says(tmp_path: Path) -> None:
    path = build(make_study(tmp_path), figures=False)
    page, results = Page(path), json.loads((tmp_path / "report" / "results.json").read_text())
    assert results["headline"] in page.text
    for part in re.split(r"(?<=[.:]) (?=[A-Z])", results["answer"]):
        assert part in page.text
    for network in results["networks"]:
        assert f"{100 * network['test']['estimate']:.2f}" in page.text
    assert "3 × 400" in page.text
    assert "linewise compare <synthetic>" in page.text
    assert "all runs have ended" in page.text


def test_awkward_class_names_are_inert_everywhere(tmp_path: Path) -> None:
    path = build(make_study(tmp_path, class_names=AWKWARD, data_name="<img src=x onerror=alert(2)>"))
    source, page = path.read_text(encoding="utf-8"), Page(path)
    assert "<script>alert" not in source
    assert "<img src=x" not in source
    assert page.data("class-names") == AWKWARD
    assert "<script>alert(1)</script>" in page.text  # as text
    known = {"meta", "title", "link", "style", "script"}
    assert not {tag for tag, _ in page.tags} & {"img", "iframe", "object"}
    assert sum(tag == "script" for tag, _ in page.tags) == 5
    assert known <= {tag for tag, _ in page.tags}
    for svg in (tmp_path / "report" / "figures").glob("*.svg"):
        assert "<script" not in svg.read_text(encoding="utf-8")


def test_results_csv_has_one_row_per_run(tmp_path: Path) -> None:
    build(make_study(tmp_path, diverged=("cnn", 2)), figures=False)
    rows = read_csv(tmp_path / "report" / "results.csv")
    assert [(r["model"], r["seed"]) for r in rows] == [
        (m, str(s)) for m in ("lstm", "gru", "cnn", "linear") for s in range(3)
    ]
    assert list(rows[0]) == [
        "model", "seed", "parameters", "macs", "train_accuracy", "validation_accuracy", "test_accuracy", "train_s",
        "status", "family", "images_per_s", "latency_ms_1", "latency_ms_1000", "epochs", "reason", "seeds_at_once",
    ]  # fmt: skip
    assert [r["status"] for r in rows].count("diverged") == 1
    with np.load(tmp_path / "runs" / "gru-1" / "predictions.npz") as arrays:
        expected = (arrays["test_predicted"] == arrays["test_labels"]).mean()
    assert float(rows[4]["test_accuracy"]) == expected


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1", "@a", "\tx"])
def test_cells_that_look_like_formulas_are_disarmed(text: str) -> None:
    from linewise.report.results import safe_cell

    assert safe_cell(text) == f"'{text}"
    assert safe_cell("plain") == "plain"
    assert safe_cell(-1.5) == -1.5


@pytest.mark.parametrize(
    "options",
    [
        {"seeds": 1},
        {"tested": False},
        {"errors": {"lstm": 0.1}},
        {"errors": {"linear": 0.1}},
        {"errors": {"lstm": 0.0, "cnn": 0.0}},
        {"diverged": ("cnn", 1), "missing": ("lstm", 2)},
        {"class_names": [f"class {k}" for k in range(40)], "num_test": 800},
        {"channels": 3, "side": 32},
        {"class_names": ["no", "yes"]},
        {"missing": "all"},
    ],
    ids=str,
)
def test_every_kind_of_study_has_a_report(tmp_path: Path, options: dict) -> None:
    page = Page(build(make_study(tmp_path, **options), figures=False))
    assert {a["id"] for tag, a in page.tags if tag == "section"} >= set(SECTIONS) - {
        "curves",
        "overlap",
        "panel",
        "difficulty",
    }
    results = json.loads((tmp_path / "report" / "results.json").read_text())
    assert results["headline"] in page.text


def test_figures_are_pictures_of_something(tmp_path: Path) -> None:
    old = tmp_path / "report" / "figures" / "of-an-earlier-report.png"
    old.parent.mkdir(parents=True)
    old.touch()
    build(make_study(tmp_path))
    assert not old.exists()
    names = {p.stem for p in (tmp_path / "report" / "figures").glob("*.png")}
    assert names >= {
        "accuracy",
        "calibration",
        "confusion-lstm",
        "confusion-cnn",
        "cost-macs",
        "curve-validation-accuracy",
    }
    for path in (tmp_path / "report" / "figures").glob("*.png"):
        pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
        assert pixels.shape[0] > 300
        assert pixels.shape[1] > 500
        inked = (pixels.min(axis=2) < 200).mean()
        assert 0.003 < inked < 0.8, path.name
        assert path.with_suffix(".svg").read_text().startswith("<svg")


def test_the_sheet_shows_the_images_of_the_gallery(tmp_path: Path) -> None:
    import base64
    import io

    path = build(make_study(tmp_path, side=6), figures=False)
    match = re.search(r'url\("data:image/png;base64,([^"]+)"\)', path.read_text())
    assert match
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(match[1]))))
    data = Page(path).data("pictures-data")
    with np.load(tmp_path / "gallery.npz") as arrays:
        indices, images = arrays["indices"], arrays["images"]
    assert data["index"] == indices.tolist()  # type: ignore[index]
    for place in (0, 7, len(indices) - 1):
        top, left = place // data["columns"] * 6, place % data["columns"] * 6  # type: ignore[index]
        np.testing.assert_array_equal(sheet[top : top + 6, left : left + 6], images[place, :, :, 0])


def test_galleries_show_the_images_that_the_analysis_names(tmp_path: Path) -> None:
    path = make_study(tmp_path, errors={"lstm": 0.2, "gru": 0.2, "cnn": 0.2}, num_test=200)
    source = build(path, figures=False).read_text(encoding="utf-8")
    found = mistakes(summarise(StudyFolder.open(path)).evidence)
    assert found is not None
    for name, families in (("only_recurrent", "rec"), ("only_convolutional", "conv"), ("both", "rec conv")):
        part = source.split(f'<h3 id="{name.replace("_", "-")}">')[1].split("<h3 ")[0].split("</section>")[0]
        shown = [int(i) for i in re.findall(r'aria-label="test image (\d+), true class', part)]
        expected = getattr(found, name).tolist()
        assert shown == expected[:IMAGES_PER_LIST]
        assert f"{len(expected)} of 200 images" in part
        votes = re.findall(r"(rec|conv)\. (\d+)/(\d+)", part)
        assert all((2 * int(k) > int(n)) == (family in families) for family, k, n in votes)
        assert {(family, n) for family, _, n in votes} == ({("rec", "6"), ("conv", "3")} if shown else set())


def test_pictures_of_a_pair_are_of_its_classes(tmp_path: Path) -> None:
    path = make_study(tmp_path, errors={"lstm": 0.2, "cnn": 0.2}, num_test=200)
    shown = pairs_shown(summary := summarise(StudyFolder.open(path)), pictures(summary.evidence))
    assert list(shown) == ["recurrent", "convolutional"]
    for family, entries in shown.items():
        answers = summary.evidence.family(family)[0].answers("test")  # type: ignore[arg-type]
        for entry in entries:
            votes = sum(
                ((a.labels_N == entry.pair.true) & (a.predicted_N == entry.pair.predicted)).astype(int)
                for a in answers
            )
            assert entry.pair.count == votes.sum()
            assert entry.num_images == (votes > 0).sum()
            assert [i.votes[0].split()[1] for i in entry.images] == [
                f"{v}/3" for v in sorted(votes[votes > 0])[::-1][:IMAGES_PER_PAIR]
            ]
            assert {(i.true, i.answered) for i in entry.images} == {
                (str(entry.pair.true), str(entry.pair.predicted))
            }


def test_many_classes_leave_a_small_page(tmp_path: Path) -> None:
    path = build(
        make_study(tmp_path, class_names=[f"class {k}" for k in range(120)], num_test=1200), figures=False
    )
    assert path.stat().st_size < 4_000_000


def test_a_report_needs_no_torch(tmp_path: Path) -> None:
    make_study(tmp_path)
    code = (
        "import sys\n"
        "class NoTorch:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name.split('.')[0] == 'torch': raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, NoTorch())\n"
        f"sys.argv = ['linewise', 'report', {str(tmp_path)!r}, '--no-figures']\n"
        "from linewise.__main__ import main; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"report: {tmp_path / 'report' / 'index.html'}\n"


def test_without_the_extra_the_message_says_what_to_install(tmp_path: Path) -> None:
    make_study(tmp_path)
    code = (
        "import sys; sys.modules['altair'] = None\n"
        f"sys.argv = ['linewise', 'report', {str(tmp_path)!r}]\n"
        "from linewise.__main__ import main; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr == (
        "error: the report needs the package 'altair', which is not installed\n"
        "  to mend:  pip install 'linewise[report]'\n"
    )


def in_browser(page: Path, profile: Path, address: str = "") -> str:
    """The page's elements after its scripts have run; scripts and data left out."""
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    flags += " --disable-component-update --disable-sync --virtual-time-budget=8000 --dump-dom"
    command = [str(chromium()), *flags.split(), f"--user-data-dir={profile}", f"file://{page}{address}"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return re.sub(r"<script.*?</script>", "", result.stdout, flags=re.DOTALL)


CLICK = """
<script>
setTimeout(() => {
  const mark = [...document.querySelectorAll('[data-network="cnn"] path[aria-roledescription="rect mark"]')]
    .find((e) => e.getAttribute("aria-label").startsWith("=cmd() taken for 猫: "));
  const box = mark.getBoundingClientRect();
  for (const type of ["pointerdown", "mousedown", "pointerup", "mouseup", "click"])
    mark.dispatchEvent(new MouseEvent(type, {bubbles: true, clientX: box.x + 5, clientY: box.y + 5}));
}, 3000);
</script>
"""


@pytest.mark.browser
def test_in_a_browser_charts_are_drawn_and_a_cell_shows_its_images(tmp_path: Path) -> None:
    """By its address, and by a click on it."""
    path = build(make_study(tmp_path / "study", class_names=AWKWARD), figures=False)
    source = path.read_text(encoding="utf-8")
    clicked = path.with_name("clicked.html")
    clicked.write_text(source + CLICK, encoding="utf-8")
    pages = {
        "lstm": in_browser(path, tmp_path / "profile", "#cell=lstm,1,2"),
        "cnn": in_browser(clicked, tmp_path / "profile", "#cell=nothing,%,99"),
    }
    data = Page(path).data("pictures-data")
    for network, dom in pages.items():
        assert dom.count("<svg") == source.count("data-chart=")
        assert "cannot be drawn" not in dom
        runs = [r for r, run in enumerate(data["runs"]) if run == network]  # type: ignore[index]
        expected = sum(
            label == 1 and any(answers[r] == 2 for r in runs)
            for label, answers in zip(data["label"], data["answers"], strict=True)  # type: ignore[index]
        )
        assert f"{network}: =cmd() taken for 猫, {expected} image" in dom
        cell = dom[dom.index('id="cell"') :].split('class="matrices"')[0]
        assert cell.count('class="picture"') == expected > 0


@pytest.mark.parametrize(
    ("name", "arrays", "why"),
    [
        ("predictions.npz", {"test_predicted": np.array([object()])}, "test_predicted: holds pickled objects"),
        ("predictions.npz", {"test_predicted": np.zeros(3, int)}, "test_probabilities"),
        (
            "predictions.npz",
            {
                "test_predicted": np.full(3, 99),
                "test_labels": np.zeros(3, int),
                "test_probabilities": np.ones((3, 2)),
            },
            "do not fit each other",
        ),
        ("../../gallery.npz", {"indices": np.arange(3), "images": np.zeros((2, 4, 4, 1), np.uint8)}, "do not fit"),
        ("predictions.npz", None, ""),
        ("epochs.csv", None, ""),
    ],
)
def test_damaged_records_are_named_not_unpickled(tmp_path: Path, name: str, arrays: dict | None, why: str) -> None:
    from linewise.foundations.errors import DataError

    path = make_study(tmp_path) / "runs" / "lstm-0" / name
    if arrays is None:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        np.savez(path, **arrays)
    with pytest.raises(DataError) as caught:
        build(tmp_path, figures=False)
    assert why in str(caught.value)
    assert path.name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "damage", "told"),
    [
        ("openings.jsonl", lambda p: p.write_bytes(b"\xff\xfe\xcc"), "cannot be read"),
        ("runs/lstm-0/epochs.csv", lambda p: p.write_text(""), "no epoch is told"),
        ("runs/lstm-0/epochs.csv", lambda p: p.unlink(), "cannot be read"),
        ("runs/gru-1/predictions.npz", lambda p: _edit(p, lambda n: np.roll(n, 1)), "are of other images"),
        ("runs/gru-1/predictions.npz", lambda p: _edit(p, lambda n: n[:100]), "do not fit each other"),
        (
            "gallery.npz",
            lambda p: np.savez(p, indices=[999], images=np.zeros((1, 8, 8, 1), np.uint8)),
            "image 999",
        ),
        ("gallery.npz", lambda p: np.savez(p, indices=[0], images=np.zeros((1, 0, 0, 1), np.uint8)), "do not fit"),
    ],
)
def test_damaged_records_are_named(tmp_path: Path, name: str, damage: Callable[[Path], object], told: str) -> None:
    make_study(tmp_path)
    damage(tmp_path / name)
    with pytest.raises(DataError, match=told) as caught:
        build(tmp_path, figures=False)
    assert caught.value.where == str(tmp_path / name)


def _edit(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    with np.load(path) as arrays:
        found = dict(arrays)
    np.savez_compressed(path, **{**found, "test_labels": change(found["test_labels"])})

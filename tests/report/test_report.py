"""The report of many kinds of study: whole, self-contained, inert, and right."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from linewise.report import build
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
    targets = {a["href"] for tag, a in page.tags if tag == "a"}
    assert targets == {f"#{name}" for name in SECTIONS}


def test_the_page_says_what_the_summary_says(tmp_path: Path) -> None:
    path = build(make_study(tmp_path), figures=False)
    page, results = Page(path), json.loads((tmp_path / "report" / "results.json").read_text())
    assert results["answer"] in page.text
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
    assert list(rows[0])[:8] == [
        "model", "seed", "parameters", "macs", "train_accuracy", "validation_accuracy", "test_accuracy", "train_s",
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
    ],
    ids=str,
)
def test_every_kind_of_study_has_a_report(tmp_path: Path, options: dict) -> None:
    page = Page(build(make_study(tmp_path, **options), figures=False))
    assert {a["id"] for tag, a in page.tags if tag == "section"} >= set(SECTIONS) - {"curves"}
    results = json.loads((tmp_path / "report" / "results.json").read_text())
    assert results["answer"] in page.text


def test_figures_are_pictures_of_something(tmp_path: Path) -> None:
    build(make_study(tmp_path))
    names = {p.stem for p in (tmp_path / "report" / "figures").glob("*.png")}
    assert names >= {
        "accuracy",
        "calibration",
        "confusion-lstm",
        "confusion-cnn",
        "cost-macs",
        "curve-validation-error",
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


@pytest.mark.skipif(
    shutil.which("chromium") is None, reason="no chromium here: the page is not opened in a browser"
)
def test_in_a_browser_the_charts_are_drawn_and_a_cell_shows_its_images(tmp_path: Path) -> None:
    path = build(make_study(tmp_path / "study", class_names=AWKWARD), figures=False)
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    flags += " --disable-component-update --disable-sync --virtual-time-budget=8000 --dump-dom"
    result = subprocess.run(
        ["chromium", *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", f"file://{path}#cell=lstm,1,2"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    dom = result.stdout
    assert dom.count("<svg") >= 13
    assert "cannot be drawn" not in re.sub(r"<script.*?</script>", "", dom, flags=re.DOTALL)
    assert re.search(r"lstm: =cmd\(\) taken for 猫, \d+ images?", dom)
    cell = dom[dom.index('id="cell"') :].split("</form>")[0]
    assert 'class="picture"' in cell

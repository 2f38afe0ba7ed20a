"""Pages about single images: what they show, that they stand alone, and that nothing in them is alive."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import chromium
from linewise.foundations.errors import ConfigError, DataError
from linewise.report.explanation import MARK, Pages, _names, _percent
from linewise.report.explanation_parts import Parts
from linewise.tracing.record import Trace, settled_at

HOSTILE = "<script>document.title='x'</script>"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def trace(steps: int | None = 8, side: int = 8, **changes: Any) -> Trace:
    """A reading of rows; what is remembered and what rows hold differ from row to row."""
    rng = np.random.default_rng(0)
    fields: dict[str, Any] = {
        "label": "lstm",
        "class_names": ["cat", "dog", "eel", "fox", "gnu", "hen", "ibex"],
        "image_HWC": rng.integers(0, 256, (side, side, 1)).astype(np.uint8),
        "probabilities_K": np.array([0.1, 0.6, 0.1, 0.1, 0.05, 0.03, 0.02], np.float32),
        "occlusion_H": np.linspace(-0.2, 0.4, side),
    }
    if steps:
        p_TK = rng.dirichlet(np.ones(7), steps).astype(np.float32)
        p_TK[-1] = fields["probabilities_K"]
        fields |= {
            "reading": "rows",
            "num_steps": steps,
            "step_HW": np.arange(1, side + 1)[:, None].repeat(side, 1) if steps == side else None,
            "probabilities_TK": p_TK,
            "settled": settled_at(p_TK),
            "hidden_TU": rng.uniform(-1, 1, (steps, 5)),
        }
    return Trace(**{**fields, **changes})


def write(folder: Path, *traces: Trace, names: list[str] | None = None, failed: Any = ()) -> list[str]:
    """The pages of some traces, and the index where there are several."""
    names = names or [f"{n}.png" for n in range(len(traces))]
    pages = Pages(folder, names)
    texts = [pages.add(n, t, name).read_text() for n, (t, name) in enumerate(zip(traces, names, strict=True))]
    index = pages.finish(failed)
    return texts + ([index.read_text()] if index else [])


class Collected(HTMLParser):
    """Elements, addresses and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.addresses += re.findall(r"url\([\"']?([^\"')]*)", text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"]:
            self.words.append(data)


def words(text: str) -> str:
    return " ".join(" ".join(Collected(text).words).split())


def test_it_tells_the_answer_and_where_it_settled(tmp_path: Path) -> None:
    found = trace(stopped=6)
    (text,) = write(tmp_path, found)
    told = words(text)
    assert "dog, 60.0 %" in told
    assert "lstm read this image row by row, 8 rows." in told
    assert f"From row {found.settled} on its answer was dog and never changed again." in told
    assert "stops at row 6" in told
    assert text.count('class="mark settled" style="top: %.2f%%"' % (100 * (found.settled or 0) / 8)) == 7
    assert "Row 8 matters most." in told


def test_an_answer_that_never_changed(tmp_path: Path) -> None:
    p_TK = np.tile(trace().probabilities_K, (8, 1))
    (text,) = write(tmp_path, trace(probabilities_TK=p_TK, settled=1, stopped=8))
    assert "Its answer was dog from the first row on." in words(text)
    assert "reads it to the end" in words(text)
    assert "On the way" not in words(text)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": None, "label": "cnn"}, "cnn does not read step by step"),
        ({"probabilities_TK": None, "settled": None, "label": "bilstm"}, "bilstm reads in two directions, or"),
    ],
)
def test_networks_without_answers_on_the_way_say_so(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    (text,) = write(tmp_path, trace(**changes))
    assert said in words(text)
    assert "Rows it rests on" in words(text)
    assert "What it believed" not in words(text)
    assert "settled" not in words(text)
    assert ("What it remembered" in words(text)) == (changes["label"] == "bilstm")


def test_a_row_that_tells_nothing_is_not_drawn_large(tmp_path: Path) -> None:
    (text,) = write(tmp_path, trace(occlusion_H=np.full(8, 0.0002)))
    assert "No single row decides" in words(text)
    assert 'class="up"' not in text


def boxes(path: str) -> list[tuple[float, float, float, float]]:
    """Left, top, right, bottom of each bar of a path, as fractions."""
    found = []
    for x, y, width, height in re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)", path):
        found.append((float(x), float(y), float(x) + float(width), float(y) + float(height)))
    return [tuple(side / 1000 for side in box) for box in found]  # type: ignore[misc]


def test_bars_are_as_wide_as_probabilities_and_lie_along_the_rows() -> None:
    found = trace()
    parts = Parts(found)
    assert parts.aligned
    assert found.probabilities_TK is not None
    total_T = np.zeros(8)
    for share in parts.shares():
        for left, top, right, bottom in boxes(share.path):
            row = int(top * 8)
            assert row / 8 <= top < bottom <= (row + 1) / 8 + 1e-3
            assert bottom - top > 0.9 / 8
            assert left == pytest.approx(total_T[row], abs=3e-3)
            if share.colour is not None:
                want = found.probabilities_TK[row, found.class_names.index(share.name)]
                assert right - left == pytest.approx(want, abs=2e-4)
            total_T[row] = right
    np.testing.assert_allclose(total_T, 1, atol=2e-3)
    assert parts.shares()[0].name == "dog"
    assert parts.shares()[-1].name == "all others"


def test_rows_that_help_lie_right_and_rows_that_hinder_left() -> None:
    found = trace()
    assert found.occlusion_H is not None
    held, against = map(boxes, Parts(found).occluded())
    assert len(held) + len(against) == 8
    for left, top, right, _ in [*held, *against]:
        drop = found.occlusion_H[int(top * 8)]
        assert right - left == pytest.approx(abs(drop) / 0.4 / 2, abs=2e-4)
        assert (left if drop > 0 else right) == pytest.approx(0.5, abs=2e-4)


@pytest.mark.parametrize(
    ("row_steps", "aligned", "ends"),
    [
        ([1, 1, 1, 2, 2, 3], True, [3 / 6, 5 / 6, 1]),
        ([3, 3, 2, 1, 1, 1], True, [3 / 6, 2 / 6, 0]),  # from below
        ([3, 2, 1, 1, 2, 3], False, [1 / 3, 2 / 3, 1]),  # outwards
        ([1, 1, 2, 2, 2, 2], False, [1 / 3, 2 / 3, 1]),  # a step that reads nothing new
    ],
)
def test_steps_lie_along_the_rows_where_they_follow_them(
    row_steps: list[int], aligned: bool, ends: list[float]
) -> None:
    for settled, end in enumerate(ends, start=1):
        found = trace(3, 6, step_HW=np.array(row_steps)[:, None].repeat(6, 1), settled=settled)
        parts = Parts(found)
        assert parts.aligned == aligned
        assert [line.place for line in parts.lines()] == pytest.approx([end])
        if aligned:
            for step, (top, bottom) in enumerate(parts.spans(), start=1):
                rows = [r for r, s in enumerate(row_steps) if s == step]
                assert (top, bottom) == (min(rows) / 6, (max(rows) + 1) / 6)


def test_columns_do_not_lie_along_the_rows(tmp_path: Path) -> None:
    found = trace(8, step_HW=np.arange(1, 9)[None].repeat(8, 0), reading="columns")
    assert not Parts(found).aligned
    (text,) = write(tmp_path, found)
    assert "The order of reading (columns)" in words(text)


def test_turns_by_brute_force() -> None:
    found = trace()
    assert found.probabilities_TK is not None
    told = [name for name, first, last in Parts(found).turns() for _ in range(first, last + 1)]
    assert told == [found.class_names[k] for k in found.probabilities_TK.argmax(axis=1)]


def test_readings_of_many_steps_stay_small(tmp_path: Path) -> None:
    found = trace(4096, 64, step_HW=np.arange(1, 4097).reshape(64, 64), reading="pixels")
    (text,) = write(tmp_path, found)
    assert len(text) < 400_000
    assert "in 4096 steps (pixels)" in words(text)


def test_pages_stand_alone_and_names_are_inert(tmp_path: Path) -> None:
    names = [HOSTILE, '"><img src=x onerror=alert(1)>', "'};alert(1)//", "&amp;", "猫", "=1+1", "{{ 7 * 7 }}"]
    failed = [DataError("is damaged", where=HOSTILE)]
    texts = write(
        tmp_path,
        trace(class_names=names, label=HOSTILE),
        trace(None, class_names=names),
        names=[f"{HOSTILE}.png", '"onmouseover="alert(1)'],
        failed=failed,
    )
    assert len(texts) == 3
    for text in texts:
        page = Collected(text)
        assert not {"script", "img", "iframe", "object", "form", "embed", "base"} & set(page.tags)
        for address in page.addresses:
            assert re.fullmatch(r"data:(,|image/png;base64,[\w+/=]+)|[\w.%-]+\.html", address), address
        assert "49" not in words(text).split()
        assert "default-src 'none'" in text
        assert not re.search(r"\son\w+\s*=\s*['\"]", re.sub(r">[^<]*<", "><", text))
    assert HOSTILE in words(texts[0])
    assert f"{HOSTILE}: is damaged" in words(texts[2])


def test_the_index_names_all_pages(tmp_path: Path) -> None:
    *_, index = write(tmp_path, trace(), trace(None), names=["cat/1.png", "dog/1.png"])
    links = [a for a in Collected(index).addresses if a.endswith(".html")]
    assert links == ["cat-1.html", "dog-1.html"]
    assert all((tmp_path / link).exists() for link in links)
    assert "settled at row" in words(index)
    single = tmp_path / "single"
    write(single, trace())
    assert [path.name for path in single.iterdir()] == ["0.html"]


def test_names_of_pages() -> None:
    shorts = [
        "../../etc/passwd",
        ".hidden.png",
        "a" * 300,
        "ü 猫.jpg",
        "A.png",
        "a.jpg",
        "",
        "CON|?*.png",
        "index.png",
    ]
    found = _names(shorts)
    assert found == [
        "etc-passwd.html", "hidden.html", "a" * 80 + ".html", "ü-猫.html", "A.html", "a-2.html", "image.html",
        "CON.html", "index-2.html",
    ]  # fmt: skip
    assert len({name.casefold() for name in found}) == len(shorts)


def test_percentages_do_not_claim_too_much() -> None:
    assert [_percent(p) for p in (1.0, 0.9996, 0.999, 0.5, 0.0004, 0.0)] == [
        "100.0 %", "> 99.9 %", "99.9 %", "50.0 %", "< 0.1 %", "0.0 %",
    ]  # fmt: skip


def test_own_pages_are_replaced_and_others_are_not(tmp_path: Path) -> None:
    write(tmp_path, trace(), trace())
    write(tmp_path, trace(), trace())
    foreign = tmp_path / "1.html"
    foreign.write_text("my own notes")
    (tmp_path / "0.html").unlink()
    with pytest.raises(ConfigError) as error:
        Pages(tmp_path, ["0.png", "1.png"])
    assert str(error.value) == (
        f"{foreign}: is there already, and no page of ours\n"
        "  to mend:  name another folder with --out, or move the file away"
    )
    assert foreign.read_text() == "my own notes"
    assert not (tmp_path / "0.html").exists()
    foreign.unlink()
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text(MARK)
    foreign.symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="no page of ours"):
        Pages(tmp_path, ["0.png", "1.png"])


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        Pages(file, ["a.png"])
    with pytest.raises(ConfigError, match="cannot be written"):
        Pages(file / "below", ["a.png"])


def test_torch_is_not_needed(tmp_path: Path) -> None:
    program = """
import sys
class NoTorch:
    def find_spec(self, name, *rest):
        if name.partition(".")[0] in ("torch", "scipy"):  # scipy: seconds that one page does not need
            raise ImportError(name)
sys.meta_path.insert(0, NoTorch())
import numpy as np
from pathlib import Path
from linewise.report.explanation import Pages
from linewise.tracing import Trace
found = Trace(label="x", class_names=["a", "b"], image_HWC=np.zeros((2, 2, 3), np.uint8), probabilities_K=np.ones(2) / 2)
print(Pages(Path(sys.argv[1]), ["x.png"]).add(0, found, "x.png").stat().st_size > 1000)
"""
    said = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=False)
    assert said.stdout == "True\n", said.stderr


@contextmanager
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield opened
        opened.close()


PLACES = """() => {
    const box = e => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom] };
    const all = s => [...document.querySelectorAll(s)].filter(e => e.getClientRects().length);
    return {wide: document.documentElement.scrollWidth, pictures: all('.picture').map(box),
            charts: all('.chart').map(box), words: all('p, h1, h2, .name, .legend span, .axis span').map(box),
            title: document.title}
}"""


def test_rows_read_from_below_are_steps_and_not_numbered_as_rows(tmp_path: Path) -> None:
    step_HW = np.arange(8, 0, -1)[:, None].repeat(8, 1)
    (page,) = write(tmp_path, trace(step_HW=step_HW, reading="rows-reversed"))
    assert "in 8 steps (rows-reversed)" in page
    assert "row by row" not in page
    assert "Row 8 matters most" in page, "rows of the image are counted from its top"
    parts = Parts(trace(step_HW=step_HW, reading="rows-reversed"))
    assert parts.aligned
    assert not parts.by_row


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 360])
def test_in_a_browser_nothing_is_cut_and_charts_lie_along_the_image(tmp_path: Path, width: int) -> None:
    long = [
        "a name that is far too long for any column of a page like this one",
        "x" * 70,
        "c",
        "d",
        "e",
        "f",
        "g",
    ]
    pages = {
        "rows": trace(stopped=7),
        "hostile": trace(class_names=long, label=HOSTILE),
        "steps": trace(5, reading="columns", step_HW=None),
        "photo": trace(None, image_HWC=np.zeros((40, 100, 3), np.uint8), occlusion_H=np.full(40, 0.3)),
        "tall": trace(None, image_HWC=np.zeros((90, 30, 3), np.uint8), occlusion_H=np.full(90, 0.3)),
    }
    write(tmp_path, *pages.values(), names=[f"{name}.png" for name in pages])
    with browser() as opened:
        for name in [*pages, "index"]:
            for scheme in ("light", "dark"):
                page = opened.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
                wrong: list[str] = []
                page.on("console", lambda message, wrong=wrong: wrong.append(message.text))
                page.on("pageerror", lambda error, wrong=wrong: wrong.append(str(error)))
                page.goto((tmp_path / f"{name}.html").as_uri())
                found = page.evaluate(PLACES)
                page.close()
                assert not wrong
                assert found["title"] != "x"
                assert found["wide"] == width, name
                for left, _, right, _ in found["pictures"] + found["charts"] + found["words"]:
                    assert -1 <= left <= right <= width + 1, name
                if name in ("rows", "hostile"):
                    assert len(found["charts"]) == 3
                    for chart in found["charts"]:
                        beside = [p for p in found["pictures"] if p[1] == chart[1] and p[3] == chart[3]]
                        assert beside, (name, found)

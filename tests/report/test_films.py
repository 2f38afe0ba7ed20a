"""Film strips: pixels and probabilities read back from the pictures, of real readers in three orders."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from linewise.analysis import Summary, summarise
from linewise.analysis.depth import Depth
from linewise.analysis.depth.turns import confused_pairs, pair_turns
from linewise.foundations.arrays import Films
from linewise.foundations.folder import StudyFolder
from linewise.images import ImageSet, SplitOptions, load
from linewise.report.charts.depth import RIGHT, WRONG
from linewise.report.films import BAR_HEIGHT, FRAMES, GAP, PER_PAIR, REST, Film, PairFilms, pair_films
from linewise.report.pictures import pictures
from linewise.study.comparison import run_study
from linewise.study.config import make_config
from linewise.study.executors import InProcess
from linewise.study.storage import write_films
from studies import make_study

ROW_HW, COLUMN_HW = np.indices((8, 8))
SEEN = {
    "lstm": ROW_HW + 1,
    "gru@columns": COLUMN_HW + 1,
    "gru@rows-outwards": np.where(ROW_HW >= 4, ROW_HW - 3, 4 - ROW_HW),
}
"""At which step each pixel of 8×8 is read."""


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load("digits", splits=SplitOptions(images=300))


@pytest.fixture(scope="module")
def study(digits: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("studies") / "digits"
    config = make_config(models=[*SEEN, "cnn"], seeds=1, epochs=1, budget=3000)
    return run_study(digits, config, path, InProcess()).path


def with_main(path: Path, label: str | None = None) -> tuple[Summary, Depth]:
    """The study as if this network were the one with the best validation accuracy."""
    summary = summarise(StudyFolder.open(path))
    assert summary.depth is not None
    if label is None:
        return summary, summary.depth
    main = next(reader for reader in summary.depth.readers if reader.label == label)
    pairs = confused_pairs([answers for answers, _ in main.runs], 6)
    return summary, replace(summary.depth, main=main, pairs=[pair_turns(main.runs, *pair) for pair in pairs])


def shown(path: Path, label: str | None = None) -> tuple[list[PairFilms], Films]:
    summary, found = with_main(path, label)
    films = StudyFolder.open(path).films()
    assert films is not None
    return pair_films(summary, found, pictures(summary.evidence)), films


def decoded(film: Film) -> np.ndarray:
    assert film.strip.startswith("data:image/png;base64,")
    with Image.open(io.BytesIO(base64.b64decode(film.strip.partition(",")[2]))) as image:
        assert image.format == "PNG"
        strip = np.asarray(image)
    assert strip.shape[:2] == (film.height, film.width)
    return strip


def frames(film: Film) -> list[np.ndarray]:
    strip, width = decoded(film), (film.width + GAP) // len(film.steps) - GAP
    assert len(film.steps) * (width + GAP) == film.width + GAP
    lefts = range(0, film.width, width + GAP)
    for left in list(lefts)[1:]:
        assert (strip[:, left - GAP : left] == 255).all()
    found = [strip[:, left : left + width] for left in lefts]
    assert {frame.shape[:2] for frame in found} == {(film.height, width)}
    return found


def pale(image: np.ndarray) -> np.ndarray:
    return np.floor(0.12 * image.astype(np.float64) + 0.88 * 226).astype(np.uint8)


@pytest.mark.parametrize("label", SEEN)
def test_what_is_read_is_exact_and_the_rest_is_pale(study: Path, digits: ImageSet, label: str) -> None:
    images_NHWC = digits.test.open("a test of films", lambda reason: None).images_NHWC
    pairs, _ = shown(study, label)
    films = [film for entry in pairs for film in entry.films]
    assert len(films) >= 6
    steps = [1, 2, 3, 4] if label == "gru@rows-outwards" else [1, 3, 4, 5, 7, 8]
    for film in films:
        page_HW = np.asarray(images_NHWC[film.index])[:, :, 0]
        assert film.steps == steps
        for step, frame in zip(film.steps, frames(film), strict=True):
            side = film.height // 8
            small = frame[::side, ::side]
            assert (small.repeat(side, axis=0).repeat(side, axis=1) == frame).all()
            read_HW = SEEN[label] <= step
            assert (small[read_HW] == page_HW[read_HW]).all()
            assert (small[~read_HW] == pale(page_HW)[~read_HW]).all()
        assert (small == page_HW).all()


def rectangles(film: Film) -> list[tuple[float, float, float, float, str]]:
    found = re.findall(r'<rect x="(.+?)" y="(.+?)" width="(.+?)" height="(.+?)" fill="(.+?)"/>', film.bars)
    return [(*(float(number) for number in rect[:4]), rect[4]) for rect in found]  # type: ignore[misc]


@pytest.mark.parametrize("label", SEEN)
def test_bars_are_the_probabilities_and_fill_the_height_with_the_rest(study: Path, label: str) -> None:
    summary, _ = with_main(study)
    pairs, films = shown(study, label)
    for entry in pairs:
        for film in entry.films:
            f = films.indices_F.tolist().index(film.index)
            probabilities_TK = films.probabilities[label][f]
            np.testing.assert_allclose(probabilities_TK.sum(axis=1), 1, atol=0.005)  # kept in half precision
            true = int(summary.evidence.labels_N[film.index])
            other = ({entry.pair.first, entry.pair.second} - {true}).pop()
            (x, y, width, height, colour), *bars = rectangles(film)
            assert (x, y, width, height, colour) == (0, 0, film.width, BAR_HEIGHT, REST)
            step = film.width / len(probabilities_TK)
            for t, row_K in enumerate(probabilities_TK):
                of_step = {
                    c: (y, h) for x, y, w, h, c in bars if t * step <= x + 0.1 and x + w <= (t + 1) * step + 0.1
                }
                high = {RIGHT: float(row_K[true]) * BAR_HEIGHT, WRONG: float(row_K[other]) * BAR_HEIGHT}
                assert of_step.keys() == {c for c, h in high.items() if h >= 0.25}
                below = 0.0
                for colour, h in high.items():
                    below += h
                    if colour in of_step:
                        assert of_step[colour] == pytest.approx((BAR_HEIGHT - below, h), abs=0.051)
                left = float(np.delete(row_K, [true, other]).sum()) * BAR_HEIGHT
                assert BAR_HEIGHT - below == pytest.approx(left, abs=0.4)
            told = re.search(r'aria-label="(.*?)"', str(film.bars))
            assert told
            assert re.findall(r"(\d+)% and (\d+)%", told[1]) == [
                (f"{100 * row_K[true]:.0f}", f"{100 * row_K[other]:.0f}") for row_K in probabilities_TK
            ]


@pytest.mark.parametrize("label", SEEN)
def test_the_images_are_of_the_pair_wrong_ones_first_and_turn_where_it_is_said(study: Path, label: str) -> None:
    summary, found = with_main(study, label)
    pairs, films = shown(study, label)
    names, labels_N = summary.evidence.spec.data.class_names, summary.evidence.labels_N
    turned = 0
    for entry in pairs:
        both = {entry.pair.first, entry.pair.second}
        assert 0 < len(entry.films) <= PER_PAIR
        wrongs = []
        for film in entry.films:
            answers_T = films.probabilities[label][films.indices_F.tolist().index(film.index)].argmax(axis=1)
            true, end = int(labels_N[film.index]), int(answers_T[-1])
            assert {true, end} <= both
            wrongs.append(end != true)
            said = [(t, a) for t, a in enumerate(answers_T.tolist()) if a in both]
            turns = [t for (_, a), (t, b) in pairwise(said) if a != b]
            title = f"{names[true]}, recognised" if end == true else f"{names[true]}, ends as {names[end]}"
            if turns:
                title += f": turns in step {turns[-1] + 1}"
                step = film.width / len(answers_T)
                assert f'<line x1="{turns[-1] * step:.1f}"' in film.bars
            assert film.title == title
            assert ("<line" in film.bars) == bool(turns)
            assert turns or end != true
            turned += bool(turns)
        assert wrongs == sorted(wrongs, reverse=True)
    assert turned
    told = [(entry.pair.first, entry.pair.second) for entry in pairs]
    assert told == [key for p in found.pairs if (key := (p.first, p.second)) in told]


def test_colours_stay_and_a_smaller_picture_follows_what_was_read(tmp_path: Path) -> None:
    """A page read in 32 rows, kept as a picture of 16: two rows of the page are one of the picture."""
    path = make_study(tmp_path, errors={"lstm": 0.2, "cnn": 0.1}, seeds=1, channels=3, side=16, readers=("lstm",))
    pairs, films = shown(path)
    first = pairs[0].films[0]
    strip = decoded(first)
    assert strip.shape == (first.height, first.width, 3)
    with np.load(path / "gallery.npz") as arrays:
        page_HWC = arrays["images"][arrays["indices"].tolist().index(first.index)]
    side = first.height // 16
    for step, frame in zip(first.steps, frames(first), strict=True):
        small = frame[::side, ::side]
        assert (small[:step] == page_HWC[:step]).all()
        assert (small[step:] == pale(page_HWC[step:])).all()
    large = np.repeat(np.repeat(films.seen["lstm"], 2, axis=0), 2, axis=1)
    assert large.shape == (32, 32)
    write_films(StudyFolder(path), replace(films, seen={"lstm": large}))
    assert [entry.films for entry in shown(path)[0]] == [entry.films for entry in pairs]


def test_of_studies_of_old_that_do_not_tell_what_was_seen_all_is_shown(tmp_path: Path) -> None:
    path = make_study(tmp_path, errors={"lstm": 0.2, "cnn": 0.1}, seeds=1, readers=("lstm",))
    with np.load(path / "films.npz") as arrays:
        kept = {key: arrays[key] for key in arrays.files if not key.startswith("seen_")}
    np.savez_compressed(path / "films.npz", allow_pickle=False, **kept)
    pairs, _ = shown(path)
    for frame in frames(pairs[0].films[0])[1:]:
        assert (frame == frames(pairs[0].films[0])[0]).all()


def test_a_long_reading_has_six_frames_the_last_of_all(tmp_path: Path) -> None:
    path = make_study(tmp_path, errors={"lstm": 0.2, "cnn": 0.1}, seeds=1, side=28, readers=("lstm",))
    film = shown(path)[0][0].films[0]
    assert len(film.steps) == FRAMES == 6
    assert film.steps[-1] == 28
    assert len(frames(film)) == 6
    gaps = np.diff([0, *film.steps])
    assert gaps.max() - gaps.min() <= 1


def test_names_with_signs_of_html_are_text_in_the_drawing(tmp_path: Path) -> None:
    names = ["<script>alert(1)</script>", 'a "b" & c', "</svg><img src=x>", "=1"]
    path = make_study(tmp_path, errors={"lstm": 0.3, "cnn": 0.1}, seeds=1, class_names=names, readers=("lstm",))
    bars = [str(film.bars) for entry in shown(path)[0] for film in entry.films]
    assert len(bars) >= 6
    for svg in bars:
        assert set(re.findall(r"<(/?\w+)", svg)) <= {"svg", "/svg", "rect", "line"}
        assert re.fullmatch(r'[^"<>]*', svg.partition('aria-label="')[2].partition('">')[0])
    assert any("&lt;script&gt;alert(1)&lt;/script&gt;" in svg for svg in bars)
    assert any("a &#34;b&#34; &amp; c" in svg for svg in bars)


def test_nothing_without_films_or_pictures_or_before_the_test(tmp_path: Path) -> None:
    path = make_study(tmp_path / "a", errors={"lstm": 0.2, "cnn": 0.1}, seeds=1, readers=("lstm",))
    summary, found = with_main(path)
    assert pair_films(summary, found, pictures(summary.evidence))
    assert pair_films(summary, found, None) == []
    (path / "films.npz").unlink()
    assert pair_films(summary, found, pictures(summary.evidence)) == []
    early = make_study(tmp_path / "b", errors={"lstm": 0.2}, seeds=1, readers=("lstm",), tested=False)
    summary, found = with_main(early)
    assert found.split == "validation"
    assert pair_films(summary, found, pictures(summary.evidence)) == []

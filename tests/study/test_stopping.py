"""A kept rule at work: answers of the early reader against full reading stopped by hand, with numpy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from linewise.analysis.stopping import find_threshold, judge
from linewise.foundations.errors import ConfigError, DataError
from linewise.foundations.stopping import StopRule
from linewise.images import Chosen, ImageSet, SplitOptions, load
from linewise.models.saved import Saved, load_model
from linewise.study import alone, single, stop_times
from linewise.study.config import make_config
from linewise.study.executors import InProcess
from linewise.study.stop_times import time_reading
from linewise.study.stopping import (
    answers_along,
    blank_pixel,
    early_reader,
    load_rule,
    make_rule,
    reader_of,
    save_rule,
    trained_on,
)

SIDE, BLANK, BUDGET = 12, 0, 0.03
READERS = ["lstm", "gru@columns", "gru@rows+columns", "gru@rows-outwards"]


def bordered() -> tuple[np.ndarray, np.ndarray]:
    """Digits on larger pages: above and on the left of them lines are blank, more of one image than of another."""
    from sklearn.datasets import load_digits

    digits, rng = load_digits(), np.random.default_rng(0)
    pages_NHW = np.full((len(digits.images), SIDE, SIDE), BLANK, dtype=np.uint8)
    for i, image in enumerate((digits.images * 15).astype(np.uint8)):
        top, left = rng.integers(0, SIDE - 8, 2)
        pages_NHW[i, top : top + 8, left : left + 8] = image
    return pages_NHW, digits.target


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load(bordered(), splits=SplitOptions(images=900, validation=400))


@pytest.fixture(scope="module")
def trained(digits: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, runs = tmp_path_factory.mktemp("runs"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alone, "WorkerProcesses", lambda jobs, threads, hang_s: InProcess())
        for name in READERS:
            config = make_config(models=[name], epochs=6, budget=6000, read_along=0.5)
            runs[name] = folder / name
            single.train_one(digits, config, 0, runs[name])
    return runs


def part_of(digits: ImageSet, split: str) -> Chosen:
    part = digits.validation if split == "validation" else digits.test.open("a test", lambda reason: None)
    return Chosen(part.images_NHWC, part.labels_N, part.names, split, [])


def rule_of(saved: Saved, part: Chosen, *, skip: bool = True) -> StopRule:
    pixel_C = blank_pixel(saved, part) if skip else None
    found = find_threshold(answers_along(saved, part, pixel_C), BUDGET, 0.95)
    return make_rule(saved, "arrays", part, pixel_C, found, BUDGET, 0.95)


def inputs(saved: Saved, part: Chosen) -> torch.Tensor:
    pre = saved.card.preprocessing
    x_NHWC = (part.images_NHWC / 255.0 - np.array(pre["mean"])) / np.array(pre["std"])
    return torch.from_numpy(x_NHWC.astype(np.float32)).permute(0, 3, 1, 2).contiguous()


def by_hand(saved: Saved, part: Chosen, doubt: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Answers, steps read, and images of which rounding may decide: in double precision from the logits."""
    with torch.inference_mode():
        logits_NTK = reader_of(saved).forward_steps(inputs(saved, part)).numpy().astype(np.float64)
    e_NTK = np.exp(logits_NTK - logits_NTK.max(axis=2, keepdims=True))
    sorted_NTK = np.sort(e_NTK / e_NTK.sum(axis=2, keepdims=True), axis=2)
    doubt_NT = sorted_NTK[:, :, :-1].sum(axis=2)
    answers, read = [], []
    for i in range(len(doubt_NT)):
        t = next((t for t, d in enumerate(doubt_NT[i]) if d <= doubt), doubt_NT.shape[1] - 1)
        answers.append(int(logits_NTK[i, t].argmax()))
        read.append(t + 1)
    close_N = (np.abs(doubt_NT / doubt - 1) < 1e-4).any(axis=1)
    return np.array(answers), np.array(read), close_N


def leading_blank_lines(part: Chosen, name: str) -> np.ndarray:
    """Blank steps at the beginning, counted line by line from the page itself."""
    counts = []
    for page_HW in part.images_NHWC[:, :, :, 0]:
        ink_H, ink_W = (page_HW != BLANK).any(axis=1), (page_HW != BLANK).any(axis=0)
        if name == "gru@rows-outwards":
            half = SIDE // 2
            steps = [ink_H[half - 1 - t] or ink_H[half + t] for t in range(half)]
        else:
            steps = {"lstm": ink_H, "gru@columns": ink_W, "gru@rows+columns": ink_H | ink_W}[name]
        counts.append(int(np.argmax([*steps, True])))
    return np.array(counts)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("skip", [True, False])
def test_reading_by_the_rule_gives_the_answers_of_full_reading_stopped_by_it(
    trained: dict[str, Path], digits: ImageSet, name: str, skip: bool
) -> None:
    saved, test = load_model(trained[name]), part_of(digits, "test")
    rule = rule_of(saved, part_of(digits, "validation"), skip=skip)
    assert rule.doubt is not None
    answers_N, read_N, close_N = by_hand(saved, test, rule.doubt)
    assert close_N.sum() <= 3
    assert read_N.min() < read_N.max()
    reader, x_NCHW = early_reader(saved, rule), inputs(saved, test)
    together = reader.read(x_NCHW)
    clear_N = ~close_N
    np.testing.assert_array_equal(together.logits_BK.argmax(dim=1).numpy()[clear_N], answers_N[clear_N])
    np.testing.assert_array_equal(together.read_B.numpy()[clear_N], read_N[clear_N])
    blank_N = leading_blank_lines(test, name) if skip and rule.blank is not None else 0 * read_N
    np.testing.assert_array_equal(together.computed_B.numpy()[clear_N], np.maximum(0, read_N - blank_N)[clear_N])
    for i in range(25):
        alone = reader.read(x_NCHW[i : i + 1])
        if clear_N[i]:
            assert (int(alone.logits_BK.argmax()), int(alone.read_B)) == (answers_N[i], read_N[i])
            assert int(alone.computed_B) == together.computed_B[i]


def test_blank_steps_are_where_the_borders_are(trained: dict[str, Path], digits: ImageSet) -> None:
    """Of pages read from the border; the middle is never blank."""
    part = part_of(digits, "validation")
    for name in READERS:
        saved = load_model(trained[name])
        expected_N = leading_blank_lines(part, name)
        pixel_C = blank_pixel(saved, part)
        assert (pixel_C is None) == (not expected_N.any())
        np.testing.assert_array_equal(answers_along(saved, part, pixel_C).blank_N, expected_N)
    assert leading_blank_lines(part, "lstm").max() >= 3


@pytest.mark.parametrize("name", READERS[:2])
def test_what_is_reported_of_the_test_is_what_the_reader_does(
    trained: dict[str, Path], digits: ImageSet, name: str
) -> None:
    saved, test = load_model(trained[name]), part_of(digits, "test")
    rule = rule_of(saved, part_of(digits, "validation"))
    judged = judge(answers_along(saved, test, rule.blank), rule.doubt)
    done = early_reader(saved, rule).read(inputs(saved, test))
    right_N = done.logits_BK.argmax(dim=1).numpy() == test.labels_N
    few = 3 / len(right_N)  # rounding may decide of as many
    assert judged.stopped.estimate == pytest.approx(right_N.mean(), abs=few)
    assert judged.read.estimate == pytest.approx(done.read_B.double().mean().item() / SIDE, abs=few)
    assert judged.computed.estimate == pytest.approx(done.computed_B.double().mean().item() / SIDE, abs=few)
    assert judged.computed.estimate < judged.read.estimate - 0.05


def test_answers_are_those_of_each_step_in_the_records(trained: dict[str, Path], digits: ImageSet) -> None:
    for name in READERS:
        with np.load(trained[name] / "steps.npz") as arrays:
            recorded_NT = arrays["validation_answers"]
        answered = answers_along(load_model(trained[name]), part_of(digits, "validation"), None)
        differ_NT = answered.answers_NT != recorded_NT
        assert differ_NT.mean() < 1e-3  # sums of another order may round otherwise
        assert not answered.blank_N.any()
        np.testing.assert_array_equal(answered.labels_N, digits.validation.labels_N)


def test_a_rule_comes_back_as_it_was_kept(trained: dict[str, Path], digits: ImageSet, tmp_path: Path) -> None:
    saved = load_model(trained["lstm"])
    rule = rule_of(saved, part_of(digits, "validation"))
    save_rule(tmp_path, rule)
    assert load_rule(tmp_path) == rule
    assert rule.sha256 == saved.card.sha256
    assert (rule.num_images, rule.num_steps, rule.blank) == (400, SIDE, [BLANK])
    rule = rule_of(load_model(trained["gru@rows-outwards"]), part_of(digits, "validation"))
    assert (rule.num_steps, rule.blank) == (SIDE // 2, None)


def test_a_rule_of_other_weights_is_refused(trained: dict[str, Path], digits: ImageSet) -> None:
    rule = rule_of(load_model(trained["lstm"]), part_of(digits, "validation"))
    with pytest.raises(ConfigError) as refused:
        early_reader(load_model(trained["gru@columns"]), rule)
    assert str(refused.value) == (
        "stop.json: the rule was found for other weights\n  to mend:  run `linewise calibrate` again"
    )


def test_no_rule_yet(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        load_rule(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path / 'stop.json'}: no such file\n  to mend:  run `linewise calibrate {tmp_path}` first"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"doubt": 1.5}, "doubt = 1.5"),
        ({"doubt": "much"}, "doubt = 'much'"),
        ({"num_steps": 0}, "num_steps = 0"),
        ({"schema_version": 2}, "schema_version = 2"),
        ({"sha256": None}, "sha256 = None"),
        ({"more": 1}, "more = 1"),
    ],
)
def test_a_damaged_rule_names_the_file_and_the_field(
    trained: dict[str, Path], digits: ImageSet, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    rule = rule_of(load_model(trained["lstm"]), part_of(digits, "validation"))
    (tmp_path / "stop.json").write_text(json.dumps({**json.loads(rule.model_dump_json()), **change}))
    with pytest.raises(DataError) as refused:
        load_rule(tmp_path)
    assert str(refused.value).startswith(f"{tmp_path / 'stop.json'}: {message}\n  expected: ")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]"])
def test_a_torn_rule_is_no_traceback(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "stop.json").write_bytes(content)
    with pytest.raises(DataError, match=r"stop\.json: "):
        load_rule(tmp_path)


def test_data_are_those_it_was_trained_on_unless_others_are_named(trained: dict[str, Path]) -> None:
    saved = load_model(trained["lstm"])
    assert trained_on(saved, "digits") == "digits"
    with pytest.raises(ConfigError, match="--data: it was trained on arrays"):
        trained_on(saved, None)
    nameless = Saved(saved.network, saved.card.model_copy(update={"trained": {}}))
    with pytest.raises(ConfigError, match="the model does not say on which images it was trained"):
        trained_on(nameless, None)
    named = Saved(saved.network, saved.card.model_copy(update={"trained": {"data": "mnist"}}))
    assert trained_on(named, None) == "mnist"


def test_three_ways_are_timed_one_by_one_and_together(
    trained: dict[str, Path], digits: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop_times, "ROUNDS", {1: 2, 1000: 3})
    monkeypatch.setattr(stop_times, "SINGLE_IMAGES", 4)
    saved, part, rounds = load_model(trained["lstm"]), part_of(digits, "validation"), []
    times = time_reading(saved, rule_of(saved, part), part, rounds.append)
    assert [(t.batch_size, t.way, t.images, len(t.seconds)) for t in times] == [
        (size, way, images, count)
        for size, images, count in ((1, 4, 2), (1000, 400, 3))
        for way in ("whole", "steps", "stopping")
    ]
    assert min(min(t.seconds) for t in times) > 0
    assert rounds == [1, 2, 3, 4, 5]

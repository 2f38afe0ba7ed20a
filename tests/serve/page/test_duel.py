"""Two networks on the same picture, and the images on which they part: against the networks and the files themselves."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from linewise.analysis.intervals import difference
from linewise.foundations.records import RunRecord
from linewise.study.prediction import answers_of, load_model


def files(study: Path, name: str) -> dict[str, np.ndarray]:
    """`predictions.npz` as it lies on disk."""
    with np.load(study / "runs" / name / "predictions.npz") as arrays:
        return dict(arrays)


def right(study: Path, name: str) -> list[bool]:
    arrays = files(study, name)
    return [int(p) == int(y) for p, y in zip(arrays["test_predicted"], arrays["test_labels"], strict=True)]


def ask(address: str, models: list[str], image_HW: np.ndarray, **more: object) -> httpx.Response:
    file = io.BytesIO()
    Image.fromarray(image_HW).save(file, "PNG")
    body = {"models": models, "image": base64.b64encode(file.getvalue()).decode(), **more}
    return httpx.post(f"{address}/v1/duel", json=body, timeout=20)


def test_both_answer_as_they_do_alone(address: str, study: Path) -> None:
    image_HW = np.random.default_rng(4).integers(0, 256, (8, 8)).astype(np.uint8)
    told = ask(address, ["gru-0", "cnn-0"], image_HW, repeats=5).json()
    for name, each in zip(["gru-0", "cnn-0"], told["contestants"], strict=True):
        expected_NK = answers_of(load_model(study / "runs" / name), image_HW[None, :, :, None])
        np.testing.assert_allclose(each["probabilities_K"], expected_NK[0], atol=2e-4)
        record = RunRecord.load(study / "runs" / name / "run.json")
        assert (each["parameters"], each["macs"]) == (record.model.cost.parameters, record.model.cost.macs)
        latency = each["latency"]
        assert (latency["batch_size"], latency["repeats"]) == (1, 5)
        assert 0 < latency["low_ms"] <= latency["median_ms"] <= latency["high_ms"]
        sight = np.asarray(Image.open(io.BytesIO(base64.b64decode(each["sight"]))))
        np.testing.assert_array_equal(sight, image_HW)


def test_nothing_is_timed_unless_asked_for_and_no_record_means_no_macs(address: str) -> None:
    told = ask(address, ["photos-0", "lstm-0"], np.zeros((9, 9), np.uint8)).json()["contestants"]
    assert [each["latency"] for each in told] == [None, None]
    assert told[0]["macs"] is None
    assert told[0]["parameters"] > 0


@pytest.mark.parametrize("more", [{"repeats": 26}, {"repeats": -1}, {"extra": 1}])
def test_limits_of_a_duel(address: str, more: dict[str, object]) -> None:
    assert ask(address, ["lstm-0", "cnn-0"], np.zeros((8, 8), np.uint8), **more).status_code == 422


def test_a_duel_is_for_two_that_are_there(address: str) -> None:
    blank = np.zeros((8, 8), np.uint8)
    assert ask(address, ["lstm-0"], blank).status_code == 422
    assert ask(address, ["lstm-0", "cnn-0", "gru-0"], blank).status_code == 422
    assert ask(address, ["lstm-0", "nobody"], blank).status_code == 404


def test_disagreements_are_those_of_the_files(address: str, study: Path) -> None:
    first, second = right(study, "rnn-0"), right(study, "cnn-0")
    told = httpx.get(f"{address}/v1/disagreements?right=rnn-0&wrong=cnn-0&most=100").json()
    pairs = list(zip(first, second, strict=True))
    assert told["num_images"] == len(pairs)
    for field, pair in {
        "both_right": (True, True), "only_right": (True, False), "only_wrong": (False, True), "both_wrong": (False, False),
    }.items():  # fmt: skip
        assert told[field] == pairs.count(pair)
    with np.load(study / "gallery.npz") as arrays:
        indices, images = arrays["indices"].tolist(), arrays["images"]
    members = {i for i in indices if first[i] and not second[i]}
    assert told["num_pictures"] == len(members)
    assert {each["index"] for each in told["pictures"]} == members
    p, q = files(study, "rnn-0"), files(study, "cnn-0")
    lead = []
    for each in told["pictures"]:
        i = each["index"]
        label = int(p["test_labels"][i])
        assert each["true"] == str(label) == each["answers"][0] != each["answers"][1]
        assert each["answers"][1] == str(q["test_predicted"][i])
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(each["image"]))))
        np.testing.assert_array_equal(shown, images[indices.index(i)][:, :, 0])
        assert each["exact"]
        lead.append(float(p["test_probabilities"][i, label]) - float(q["test_probabilities"][i, label]))
    assert lead == sorted(lead, reverse=True)
    expected = difference(np.array([first]), np.array([second]))
    assert told["difference"]["estimate"] == pytest.approx(sum(first) / len(first) - sum(second) / len(second))
    assert told["difference"]["low"] == pytest.approx(expected.low)
    assert told["difference"]["high"] == pytest.approx(expected.high)


def test_the_other_way_round_is_the_mirror_image(address: str) -> None:
    one = httpx.get(f"{address}/v1/disagreements?right=lstm-0&wrong=cnn-0").json()
    other = httpx.get(f"{address}/v1/disagreements?right=cnn-0&wrong=lstm-0").json()
    assert (one["only_right"], one["only_wrong"]) == (other["only_wrong"], other["only_right"])
    assert one["right"] == other["wrong"]
    assert one["difference"]["estimate"] == pytest.approx(-other["difference"]["estimate"])


def test_models_of_no_study_are_told_so(address: str) -> None:
    told = httpx.get(f"{address}/v1/disagreements?right=lstm-0&wrong=photos-0").json()
    assert told["why"] == "photos-0 is from no study, so there are no answers on test images to show."
    assert told["pictures"] == []


def test_different_studies_are_not_laid_side_by_side(study: Path, tmp_path: Path) -> None:
    import shutil

    from linewise.serve.desk import Desk
    from linewise.serve.views.duel import _disagreements

    other = tmp_path / "other"
    shutil.copytree(study, other)
    desk = Desk.open([study / "runs" / "lstm-0", other / "runs" / "cnn-0"])
    told = _disagreements(desk.models["lstm-0"], desk.models["cnn-0"], 10)
    assert told.why == (
        "lstm-0 and cnn-0 are from different studies: their answers cannot be laid side by side image by image."
    )


@pytest.mark.browser
def test_two_networks_answer_what_is_drawn(visit: Callable) -> None:
    seen = visit("#duel")
    seen.page.wait_for_selector(".view-duel[data-timed=true]")
    selects = seen.page.locator(".corner select")
    assert [selects.nth(i).input_value() for i in (0, 1)] == ["lstm-0", "cnn-0"]
    seen.page.click("text=Clear")
    with seen.page.expect_response(
        lambda r: r.url.endswith("/v1/duel") and b"repeats" in r.request.post_data_buffer
    ) as got:
        seen.draw(0)
    best = [each["class_names"][np.argmax(each["probabilities_K"])] for each in got.value.json()["contestants"]]
    for i, name in enumerate(best):
        seen.page.wait_for_selector(f".corner:nth-child({i + 1}) .glyph:text-is('{name}')")
    verdict = f"Both say {best[0]}" if best[0] == best[1] else f"lstm-0 says {best[0]}, cnn-0 says {best[1]}"
    assert seen.text(".verdict") == verdict
    assert seen.page.locator(".corner .bar").count() == 20
    assert seen.page.locator(".cost tbody tr").count() == 3
    seen.page.wait_for_selector(".cost + .note:has-text('median of ')")
    selects.nth(1).select_option("gru-0")
    seen.page.wait_for_selector(".cost th:last-child:text-is('gru-0')")
    selects.nth(0).select_option("gru-0")
    seen.page.wait_for_selector(".cost th:last-child:text-is('lstm-0')")
    assert seen.page.input_value("#model") == "gru-0"


@pytest.mark.browser
def test_a_drawing_is_the_same_in_every_view(visit: Callable) -> None:
    seen = visit("#read")
    seen.wait_answer()
    seen.page.click("text=Clear")
    seen.draw(7)
    pad = "document.querySelector('.pad').toDataURL()"
    drawn = seen.page.evaluate(pad)
    seen.page.click("text=Duel")
    seen.page.wait_for_selector(".view-duel[data-timed=true]")
    assert seen.page.evaluate(pad) == drawn


@pytest.mark.browser
def test_an_image_they_part_on_opens_in_read(visit: Callable, address: str) -> None:
    told = httpx.get(f"{address}/v1/disagreements?right=cnn-0&wrong=rnn-0&most=1").json()
    seen = visit("#duel")
    seen.page.select_option("#model", "rnn-0")
    seen.page.locator(".corner select").nth(1).select_option("cnn-0")
    seen.page.wait_for_selector(".fourfold th:text-is('cnn-0 right')")
    counts = [int(n.replace(",", "")) for n in seen.page.locator(".fourfold tbody td").all_inner_texts()]
    assert sum(counts) == told["num_images"]
    seen.page.click(f"text=cnn-0 right, rnn-0 wrong: {told['only_right']}")
    seen.page.wait_for_selector(".sides button:nth-child(2)[aria-pressed=true]")
    first = seen.page.locator(".shot").first
    name = first.get_attribute("aria-label") or ""
    assert re.match(rf"Test image {told['pictures'][0]['index']}, class {told['pictures'][0]['true']}: ", name)
    first.focus()
    seen.page.keyboard.press("Enter")
    wrong = told["pictures"][0]["answers"][1]
    seen.page.wait_for_selector(f".view-read .sentence b:text-is('{wrong}')")
    assert seen.page.input_value("#model") == "rnn-0"


@pytest.mark.browser
def test_the_page_says_why_nothing_can_be_compared(visit: Callable) -> None:
    seen = visit("#duel")
    seen.page.locator(".corner select").nth(1).select_option("photos-0")
    seen.page.wait_for_selector("text=photos-0 is from no study")
    assert not seen.page.locator(".fourfold").is_visible()

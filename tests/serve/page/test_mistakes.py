"""The confusion matrix in the page is scikit-learn's, and its cells open."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix, recall_score
from statsmodels.stats.proportion import proportion_confint


def truth(study: Path, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with np.load(study / "runs" / name / "predictions.npz") as arrays:
        return arrays["test_labels"], arrays["test_predicted"], arrays["test_probabilities"]


@pytest.mark.parametrize("name", ["rnn-0", "cnn-0"])
def test_the_matrix_is_that_of_the_files(address: str, study: Path, name: str) -> None:
    labels_N, predicted_N, _ = truth(study, name)
    told = httpx.get(f"{address}/v1/confusion?model={name}").json()
    expected_KK = confusion_matrix(labels_N, predicted_N, labels=range(10))
    assert told["counts_KK"] == expected_KK.tolist()
    np.testing.assert_allclose(
        told["recall_K"], recall_score(labels_N, predicted_N, average=None, labels=range(10))
    )
    low, high = proportion_confint(np.trace(expected_KK), len(labels_N), method="wilson")
    accuracy = told["accuracy"]
    assert accuracy["num_images"] == len(labels_N)
    assert (accuracy["estimate"], accuracy["low"], accuracy["high"]) == pytest.approx(
        (np.trace(expected_KK) / len(labels_N), low, high)
    )
    with np.load(study / "gallery.npz") as arrays:
        kept_G = arrays["indices"]
    assert (
        told["pictures_KK"] == confusion_matrix(labels_N[kept_G], predicted_N[kept_G], labels=range(10)).tolist()
    )
    wrong = sorted(
        (n for t, row in enumerate(expected_KK) for p, n in enumerate(row) if t != p and n), reverse=True
    )
    assert [pair["count"] for pair in told["pairs"]] == wrong[:12]
    for pair in told["pairs"]:
        assert pair["count"] == expected_KK[pair["true"], pair["predicted"]]
        assert pair["rate"] == pytest.approx(pair["count"] / expected_KK[pair["true"]].sum())


def test_a_cell_holds_its_pictures_the_surest_first(address: str, study: Path) -> None:
    labels_N, predicted_N, probabilities_NK = truth(study, "rnn-0")
    with np.load(study / "gallery.npz") as arrays:
        indices, images = arrays["indices"].tolist(), arrays["images"]
    for true in range(10):
        for predicted in range(10):
            found = httpx.get(
                f"{address}/v1/gallery?model=rnn-0&true={true}&predicted={predicted}&most=100"
            ).json()
            cell = [i for i in range(len(labels_N)) if (labels_N[i], predicted_N[i]) == (true, predicted)]
            assert found["count"] == len(cell)
            members = [i for i in indices if i in cell]
            assert found["num_pictures"] == len(members)
            surest = sorted(members, key=lambda i: -float(probabilities_NK[i, predicted]))
            shown = [each["index"] for each in found["pictures"]]
            assert sorted(shown) == sorted(members)
            assert [float(probabilities_NK[i, predicted]) for i in shown] == [
                float(probabilities_NK[i, predicted]) for i in surest
            ]
            for each in found["pictures"][:2]:
                pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(each["image"]))))
                np.testing.assert_array_equal(pixels, images[indices.index(each["index"])][:, :, 0])


@pytest.mark.parametrize(
    "query",
    ["true=10&predicted=0", "true=-1&predicted=0", "true=0&predicted=0&most=101", "true=a&predicted=0", "true=0"],
)
def test_cells_that_are_not_there_are_refused(address: str, query: str) -> None:
    answer = httpx.get(f"{address}/v1/gallery?model=rnn-0&{query}")
    assert answer.status_code in (404, 422)
    assert set(answer.json()) == {"id", "title", "detail"}


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda run: (run / "predictions.npz").write_bytes(b"PK\x03\x04"), "cannot be read"),
        (lambda run: (run / "run.json").write_text("{}"), "cannot be read"),
        (lambda run: (run / "predictions.npz").unlink(), "still sealed"),
    ],
)
def test_damaged_records_are_a_sentence_not_a_failure(
    study: Path, tmp_path: Path, harm: Callable, why: str
) -> None:
    from linewise.serve.desk import Desk
    from linewise.serve.views.mistakes import _confusion, _gallery

    shutil.copytree(study, tmp_path / "digits")
    run = tmp_path / "digits" / "runs" / "cnn-0"
    desk = Desk.open([run])
    harm(run)
    assert why in _confusion(desk.first).why
    assert why in _gallery(desk.first, 0, 0, 9).why


def test_a_damaged_gallery_costs_the_pictures_only(study: Path, tmp_path: Path) -> None:
    from linewise.serve.desk import Desk
    from linewise.serve.views.mistakes import _confusion

    shutil.copytree(study, tmp_path / "digits")
    (tmp_path / "digits" / "gallery.npz").write_bytes(b"no")
    told = _confusion(Desk.open([tmp_path / "digits" / "runs" / "cnn-0"]).first)
    assert not told.why
    assert np.sum(told.counts_KK) > 0
    assert np.sum(told.pictures_KK) == 0


@pytest.mark.browser
def test_keys_walk_through_the_matrix_and_open_a_cell(visit: Callable, address: str) -> None:
    told = httpx.get(f"{address}/v1/confusion?model=rnn-0").json()
    worst = told["pairs"][0]
    seen = visit("#mistakes")
    seen.choose("rnn-0")
    seen.page.wait_for_selector(
        f".pairs li:first-child:has-text('{worst['true']} taken for {worst['predicted']}')"
    )
    seen.page.wait_for_selector(f"h2:has-text('{worst['true']} taken for {worst['predicted']}')")
    cells = seen.page.locator(".matrix td[data-true]")
    assert cells.count() == 100
    assert [int(text or 0) for text in cells.all_inner_texts()] == np.ravel(told["counts_KK"]).tolist()
    assert seen.page.locator(".matrix [tabindex='0']").count() == 1
    seen.page.locator(".matrix [tabindex='0']").focus()
    for key in ["Home", "PageUp", "ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowRight"]:
        seen.page.keyboard.press(key)
    where = "document.activeElement.dataset"
    assert seen.page.evaluate(f"[{where}.true, {where}.predicted]") == ["2", "2"]
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_selector("h2:has-text('2, recognised')")
    for key in ["End", "ArrowRight", "PageDown", "ArrowDown"]:
        seen.page.keyboard.press(key)
    assert seen.page.evaluate(f"[{where}.true, {where}.predicted]") == ["9", "9"]
    assert (seen.page.evaluate("document.activeElement.getAttribute('aria-label')")).startswith("9 recognised: ")


@pytest.mark.browser
def test_an_image_is_read_exactly_as_the_network_saw_it(visit: Callable, address: str) -> None:
    worst = httpx.get(f"{address}/v1/confusion?model=rnn-0").json()["pairs"][0]
    query = f"model=rnn-0&true={worst['true']}&predicted={worst['predicted']}&most=1"
    picture = httpx.get(f"{address}/v1/gallery?{query}").json()["pictures"][0]
    seen = visit("#mistakes")
    seen.choose("rnn-0")
    seen.page.wait_for_selector(f".shot[aria-label*='Test image {picture['index']},']")
    with seen.page.expect_request("**/v1/read") as asked:
        seen.page.click(f".shot[aria-label*='Test image {picture['index']},']")
    body = asked.value.post_data_json
    assert (body["model"], body["drawn"], body["image"]) == ("rnn-0", False, picture["image"])
    seen.page.wait_for_selector(f".view-read .sentence b:text-is('{worst['predicted']}')")


@pytest.mark.browser
def test_a_model_without_a_study_is_told_so(visit: Callable) -> None:
    seen = visit("#mistakes")
    seen.choose("photos-0")
    seen.page.wait_for_selector("text=photos-0 is from no study")
    assert not seen.page.locator(".matrix").is_visible()

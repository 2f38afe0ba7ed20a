"""`ReaderClassifier` among scikit-learn's own tools, and against Linewise's own commands."""

from __future__ import annotations

import io
import json
import pickle
import shutil
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from linewise import ConfigError, DataError, ReaderClassifier, load_model
from linewise.api.estimator.pixels import InputError, shape_of, to_bytes
from linewise.study.prediction import answers_of

DIGITS = load_digits()
IMAGES, LABELS = DIGITS.images[:500], DIGITS.target[:500]
BYTES = (IMAGES * 15.9).astype(np.uint8)

EXPECTED_TO_FAIL: dict[str, str] = {}
"""Checks of scikit-learn that images cannot pass, and why: none, once the shape of a table's rows is told."""


@pytest.fixture(scope="module")
def fitted() -> ReaderClassifier:
    return quick().fit(BYTES, LABELS)


def quick(**parameters: object) -> ReaderClassifier:
    return ReaderClassifier(**{"model": "gru", "hidden": 16, "epochs": 2, "random_state": 0, **parameters})


@parametrize_with_checks(
    [  # the checks have tables of 1 to 20 columns; one pixel per row, an image of any number of rows
        ReaderClassifier("lstm", image_shape=(-1, 1), random_state=0),
        ReaderClassifier("mlp", image_shape=(1, -1), epochs=8, learning_rate=0.03, random_state=0),
    ],
    expected_failed_checks=lambda estimator: EXPECTED_TO_FAIL,
)
@pytest.mark.filterwarnings("ignore:Can't check dok sparse matrix:UserWarning")
def test_scikit_learn_finds_its_manners(estimator: ReaderClassifier, check: object) -> None:
    check(estimator)  # type: ignore[operator]


def test_learns_digits() -> None:
    reader = ReaderClassifier("lstm", random_state=1).fit(DIGITS.images[:1300], DIGITS.target[:1300])
    assert reader.score(DIGITS.images[1300:], DIGITS.target[1300:]) > 0.8
    assert reader.history_["epoch"] == [1, 2, 3, 4, 5]
    assert reader.history_["validation_accuracy"][-1] > 0.8 > reader.history_["train_accuracy"][0]


def test_the_same_seed_repeats_bit_for_bit_and_another_differs() -> None:
    one, two, other = (quick(random_state=seed).fit(BYTES, LABELS) for seed in (3, 3, 4))
    assert np.array_equal(one.predict_proba(BYTES), two.predict_proba(BYTES))
    assert one._files["model.safetensors"] == two._files["model.safetensors"]
    assert one.history_ == two.history_
    assert not np.array_equal(one.predict_proba(BYTES), other.predict_proba(BYTES))


def test_a_random_state_object_gives_its_next_seed() -> None:
    state = np.random.RandomState(7)
    seed = int(np.random.RandomState(7).randint(np.iinfo(np.int32).max))
    reader = quick(random_state=state, epochs=1).fit(BYTES, LABELS)
    assert json.loads(reader._files["run.json"])["seed"] == seed


def test_tables_and_images_are_the_same(fitted: ReaderClassifier) -> None:
    table = quick().fit(BYTES.reshape(-1, 64), LABELS)
    grey = quick().fit(BYTES[..., None], LABELS)
    for other in (table, grey):
        assert np.array_equal(other.predict_proba(BYTES), fitted.predict_proba(BYTES.reshape(-1, 64)))
    assert fitted.n_features_in_ == 64
    assert fitted.image_shape_ == (8, 8, 1)


def test_colour_and_oblong_images() -> None:
    colour = np.repeat(BYTES[:, :, :6, None], 3, axis=3)
    reader = quick(epochs=1).fit(colour, LABELS)
    assert reader.image_shape_ == (8, 6, 3)
    table = quick(epochs=1, image_shape=(8, -1, 3)).fit(colour.reshape(500, -1), LABELS)
    assert np.array_equal(table.predict_proba(colour), reader.predict_proba(colour))


def test_shape_of_agrees_with_numpy() -> None:
    assert shape_of(64, None, None) == (8, 8, 1)
    assert shape_of(7, None, (1, -1)) == (1, 7, 1)
    assert shape_of(24, None, (2, 4, 3)) == (2, 4, 3)
    assert shape_of(24, (2, 4, 3), None) == (2, 4, 3)


@pytest.mark.parametrize("given", [(3, 4), (2, 4, 2), 64, "8x8", (-1, -1)])
def test_a_shape_that_does_not_fit_is_refused(given: object) -> None:
    with pytest.raises(InputError, match=r"image_shape = .* for images of 64 values"):
        quick(image_shape=given).fit(BYTES, LABELS)


def test_pixels_become_256_even_steps_over_the_range() -> None:
    values = np.linspace(-3, 5, 1000)[:, None]
    found = to_bytes(values, (1, 1, 1), (-1.0, 3.0)).ravel()
    expected = [round(min(max((v + 1) / 4, 0), 1) * 255) for v in values.ravel()]
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert (found == expected).mean() > 0.99
    assert found[0] == 0
    assert found[-1] == 255


def test_the_range_of_training_is_used_for_every_later_image() -> None:
    reader = quick().fit(BYTES / 255, LABELS)
    assert reader.pixel_range_ == (0.0, BYTES.max() / 255)
    pale = BYTES[:20] / 510  # must not be stretched to the whole range again
    expected = to_bytes(pale.reshape(20, -1), (8, 8, 1), reader.pixel_range_)
    assert expected.max() < 130
    assert np.allclose(answers_of(reader._saved, expected), reader.predict_proba(pale), atol=1e-6)


def test_floats_of_bytes_with_their_range_are_the_bytes(fitted: ReaderClassifier) -> None:
    reader = quick(pixel_range=(0, 255)).fit(BYTES.astype(float), LABELS)
    assert np.array_equal(reader.predict_proba(BYTES), fitted.predict_proba(BYTES))


def test_another_scale_is_told(fitted: ReaderClassifier) -> None:
    with pytest.warns(UserWarning, match=r"pixels from 0 to 0\.9\d+, and the network learned from 0 to 255"):
        fitted.predict(BYTES / 255)
    fractions = quick(epochs=1).fit(BYTES / 255, LABELS)
    with pytest.warns(UserWarning, match="and the network learned from 0 to 0.996078"):
        fractions.predict(BYTES)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["zebra", "ant", "cat"])[LABELS % 3],
        np.array(["zebra", "ant", "cat"], object)[LABELS % 3],
        LABELS % 3 * 10 - 5,
        (LABELS % 3).astype(float),
        LABELS % 2 == 0,
    ],
    ids=["strings", "objects", "integers", "floats", "booleans"],
)
def test_labels_of_any_type(labels: np.ndarray, tmp_path: Path) -> None:
    reader = quick(epochs=1).fit(BYTES, labels)
    assert np.array_equal(reader.classes_, np.unique(labels))
    answers = reader.predict(BYTES)
    assert answers.dtype == labels.dtype
    again = ReaderClassifier.load(reader.save(tmp_path / "run"))
    assert np.array_equal(again.predict(BYTES), answers)
    assert again.classes_.dtype == reader.classes_.dtype


def test_probabilities_belong_to_the_classes_in_their_order() -> None:
    names = np.array(["b", "a"])[(LABELS > 4).astype(int)]
    reader = quick(epochs=4).fit(BYTES, names)
    columns = {name: reader.predict_proba(BYTES)[names == name].mean(axis=0) for name in "ab"}
    assert columns["a"][0] > columns["a"][1]
    assert columns["b"][1] > columns["b"][0]
    assert np.allclose(np.exp(reader.predict_log_proba(BYTES)), reader.predict_proba(BYTES))


def test_pickle_joblib_and_clone(fitted: ReaderClassifier, tmp_path: Path) -> None:
    expected = fitted.predict_proba(BYTES)
    assert np.array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(BYTES), expected)
    joblib.dump(fitted, tmp_path / "reader.joblib")
    assert np.array_equal(joblib.load(tmp_path / "reader.joblib").predict_proba(BYTES), expected)
    assert not hasattr(clone(fitted), "classes_")
    assert clone(fitted).get_params() == fitted.get_params()


def test_a_pickle_holds_no_torch_objects(fitted: ReaderClassifier) -> None:
    class Watching(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> object:
            assert not module.startswith("torch"), module
            return super().find_class(module, name)

    assert Watching(io.BytesIO(pickle.dumps(fitted))).load().score(BYTES, LABELS) == fitted.score(BYTES, LABELS)


def test_a_grid_search_over_pipelines_finds_more_epochs_better() -> None:
    pipeline = make_pipeline(StandardScaler(), quick(learning_rate=0.01))
    search = GridSearchCV(pipeline, {"readerclassifier__epochs": [1, 6]}, cv=3)
    search.fit(IMAGES.reshape(500, -1), LABELS)
    assert search.best_params_ == {"readerclassifier__epochs": 6}
    assert search.best_estimator_.score(IMAGES.reshape(500, -1), LABELS) > 0.5


def test_cross_validation_of_images_in_other_processes() -> None:
    flipped = make_pipeline(FunctionTransformer(lambda x: x[:, ::-1]), quick(reading="columns", epochs=4))
    scores = cross_val_score(flipped, BYTES, LABELS, cv=3)
    assert scores.min() > 0.2
    alone = cross_val_score(quick(), BYTES, LABELS, cv=2)
    aside = cross_val_score(quick(), BYTES, LABELS, cv=2, n_jobs=2)
    assert alone.tolist() == aside.tolist()


def test_a_saved_estimator_is_a_run(fitted: ReaderClassifier, tmp_path: Path, linewise) -> None:
    run = fitted.save(tmp_path / "run")
    assert np.allclose(answers_of(load_model(run), BYTES[..., None]), fitted.predict_proba(BYTES), atol=1e-6)
    image = tmp_path / "digit.png"
    Image.fromarray(BYTES[7]).save(image)
    said = linewise("predict", run, image, "--top", 1, "--json")
    assert json.loads(said.out)[0]["top"][0]["name"] == str(fitted.predict(BYTES[7:8])[0])
    again = ReaderClassifier.load(run)
    assert np.array_equal(again.predict_proba(BYTES), fitted.predict_proba(BYTES))
    assert again.get_params() == fitted.get_params()
    assert again.history_ == fitted.history_
    with pytest.raises(ConfigError, match="is there already"):
        fitted.save(run)


def test_a_damaged_folder_is_refused(fitted: ReaderClassifier, tmp_path: Path) -> None:
    run = fitted.save(tmp_path / "run")
    weights = bytearray((run / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (run / "model.safetensors").write_bytes(weights)
    with pytest.raises(DataError, match="the checksum differs"):
        ReaderClassifier.load(run)
    shutil.copytree(run, tmp_path / "other")
    (tmp_path / "other" / "estimator.json").unlink()
    with pytest.raises(DataError, match=r"no estimator\.json"):
        ReaderClassifier.load(tmp_path / "other")


def test_a_damaged_pickle_is_refused(fitted: ReaderClassifier) -> None:
    state = fitted.__getstate__()
    weights = state["_files"]["model.safetensors"]
    files = {**state["_files"], "model.safetensors": weights[:-1] + bytes([weights[-1] ^ 1])}
    with pytest.raises(DataError, match="the checksum differs"):
        ReaderClassifier().__setstate__({**state, "_files": files})


def test_the_process_is_left_as_it_was() -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    reader = quick(epochs=1, threads=2).fit(BYTES[:100], LABELS[:100])
    reader.predict(BYTES[:10])
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads
    assert (torch.tensor([1e-308], dtype=torch.float64) / 10).item() > 0


def test_training_is_that_of_linewise_train(fitted: ReaderClassifier, tmp_path: Path, linewise) -> None:
    """The same images, divided in the same way, make the same weights."""
    from linewise.images import SplitOptions
    from linewise.images.checking.duplicates import groups_of
    from linewise.images.splits import plan

    names = tuple(map(str, range(10)))
    division = plan(
        LABELS,
        groups_of(BYTES[..., None])[0],
        SplitOptions(validation=50),
        names,
        has_validation=False,
        has_test=True,
    )
    arrays = {
        "x_train": BYTES[division.train], "y_train": LABELS[division.train],
        "x_validation": BYTES[division.validation], "y_validation": LABELS[division.validation],
        "x_test": BYTES[:20], "y_test": LABELS[:20],
    }  # fmt: skip
    np.savez(tmp_path / "digits.npz", **arrays)
    said = linewise(
        "train", tmp_path / "digits.npz", "--model", "gru:hidden=16", "--epochs", 2, "--out", tmp_path / "run",
        "--allow-leaks",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == fitted._files["model.safetensors"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"model": "lstn"}, "unknown model 'lstn'"),
        ({"model": "cnn", "hidden": 5}, "hidden"),
        ({"epochs": 0}, "epochs = 0"),
        ({"validation_fraction": 0.0}, r"validation_fraction = 0\.0"),
        ({"pixel_range": (1, 1)}, r"pixel_range = \(1, 1\)"),
        ({"augment": {"shft": 2}}, "shft"),
    ],
)
def test_wrong_settings_are_told_at_fit(parameters: dict, message: str) -> None:
    reader = quick(**{"hidden": None, **parameters})
    with pytest.raises(ValueError, match=message) as caught:
        reader.fit(BYTES, LABELS)
    assert isinstance(caught.value, DataError)


def test_training_that_diverges_is_told() -> None:
    reader = ReaderClassifier("linear", learning_rate=10, epochs=40, random_state=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("linewise.training.loop.math.isfinite", lambda loss: loss < 1)
        with pytest.raises(InputError, match=r"training diverged: loss .* at step 1 of"):
            reader.fit(BYTES, LABELS)


def test_images_that_cannot_be_used() -> None:
    with pytest.raises(InputError, match="rows of 63 pixels, which make no square"):
        quick().fit(BYTES.reshape(500, 64)[:, 1:], LABELS)
    with pytest.raises(InputError, match=r"X\.transpose\(0, 2, 3, 1\)"):
        quick().fit(np.zeros((4, 3, 8, 8)), [0, 1, 0, 1])
    with pytest.raises(InputError, match="one class only"):
        quick().fit(BYTES[:9], np.zeros(9))
    with pytest.raises(InputError, match="class '9' has 1 different image"):
        quick().fit(BYTES[:21], np.array([0, 1] * 10 + [9]))


def test_another_shape_of_as_many_pixels_is_refused(fitted: ReaderClassifier) -> None:
    with pytest.raises(InputError, match="images of shape 4×16"):
        fitted.predict(BYTES.reshape(-1, 4, 16))


def test_verbose_says_a_line_per_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    quick(verbose=True).fit(BYTES, LABELS)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1", "epoch 2"]

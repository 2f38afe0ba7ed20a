"""Image sets as a whole: the seal, the record, the fingerprint, and images for a saved model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from linewise.foundations.errors import ConfigError, DataError
from linewise.images import Preprocessing, SplitOptions, check, load, load_for
from linewise.images.sources import digits

IMAGES = np.random.default_rng(8).integers(0, 256, (60, 6, 6), np.uint8)
LABELS = np.arange(60) % 3


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    images = load("digits")
    test = images.test.open("compare", lambda reason: None)
    here = np.concatenate([images.train.images_NHWC, images.validation.images_NHWC, test.images_NHWC])[..., 0]
    labels = np.concatenate([images.train.labels_N, images.validation.labels_N, test.labels_N])
    original = load_digits()
    restored = sorted(
        (np.rint(image / 255 * 16).astype(int).tolist(), int(k)) for image, k in zip(here, labels, strict=True)
    )
    assert restored == sorted(
        (image.astype(int).tolist(), int(k))
        for image, k in zip(original["images"], original["target"], strict=True)
    )
    assert here.max() == 255


def test_digits_are_the_same_where_their_file_has_moved(monkeypatch: pytest.MonkeyPatch):
    images, labels = digits.embedded_digits()
    monkeypatch.setattr(digits, "INSIDE", Path("elsewhere.csv.gz"))
    again, labels_again = digits.embedded_digits()
    np.testing.assert_array_equal(images, again, strict=True)
    np.testing.assert_array_equal(labels, labels_again, strict=True)


def test_seal():
    images = load((IMAGES, LABELS))
    noted = []
    assert len(images.test) == 12
    assert images.test.counts(3) == [4, 4, 4]
    with pytest.raises(AttributeError, match=r"the test images are sealed; \.images_NHWC is had from \.open"):
        _ = images.test.images_NHWC
    with pytest.raises(ValueError, match="with a reason only"):
        images.test.open(" ", noted.append)
    assert noted == []
    assert len(images.test.open("the end", noted.append).images_NHWC) == 12
    assert noted == ["the end"]


def test_seal_stays_when_the_opening_cannot_be_noted():
    def fail(reason: str) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        load((IMAGES, LABELS)).test.open("the end", fail)


def test_record_says_what_was_done():
    record = load((IMAGES, LABELS), splits=SplitOptions(images=9)).record
    assert record.name == "arrays"
    assert record.shape == (6, 6, 1)
    assert record.counts["train"] == {"0": 3, "1": 3, "2": 3}
    assert record.options["images"] == 9
    assert record.options["fit"] == "letterbox"
    assert record.check["fingerprint"] == record.fingerprint
    assert record.check["usable"] is True
    assert record.model_validate_json(record.model_dump_json()) == record


def test_fingerprint_follows_every_pixel_label_name_and_split():
    def of(images=IMAGES, labels=LABELS, seed: int = 0) -> str:
        return load((images, labels), splits=SplitOptions(split_seed=seed)).record.fingerprint

    changed = IMAGES.copy()
    changed[17, 3, 3] ^= 1
    relabelled = LABELS.copy()
    relabelled[17] = (relabelled[17] + 1) % 3
    names = np.array(["a", "b", "c"])[LABELS]
    assert of() == of()
    assert len({of(), of(changed), of(IMAGES, relabelled), of(IMAGES, names), of(seed=1)}) == 5


def test_check_reports_what_load_refuses(tmp_path):
    result = check(tmp_path)
    assert not result.usable
    assert result.errors[0].startswith(f"{tmp_path}: holds no class folders")
    assert check((IMAGES, LABELS)).usable


def test_imbalance_is_remarked_upon():
    labels = np.repeat([0, 1], [50, 10])
    images = load((IMAGES, labels))
    assert images.warnings == [
        "classes differ in size: 32 training images of '0', 6 of '1'; look at balanced accuracy"
    ]
    assert images.record.check["balance"] == 6 / 32


def test_copies_are_found_where_they_are():
    copied = IMAGES.copy()
    copied[30] = copied[0]
    labels = LABELS.copy()
    assert labels[30] == labels[0]
    result = check((copied, labels))
    assert sum(result.duplicates.within.values()) == 1
    assert result.duplicates.conflicts == 0
    copied[31] = copied[0]
    assert check((copied, labels)).duplicates.conflicts == 1


def test_images_for_a_model_go_through_its_preprocessing(class_folders):
    trained = load(class_folders("a", classes=("dog", "cat", "ant")))
    other = class_folders("b", classes=("ant", "cat", "dog"), seed=9, size=(20, 30))
    chosen = load_for(other, trained.preprocessing, trained.class_names)
    assert chosen.split == "all"
    assert len(chosen) == 18
    for name, image, label in zip(chosen.names or [], chosen.images_NHWC, chosen.labels_N, strict=True):
        assert trained.class_names[label] == name.split("/")[0]
        np.testing.assert_array_equal(image, trained.preprocessing.apply(Image.open(other / name)))


def test_colour_images_for_a_grey_model(class_folders):
    trained = load(class_folders("a", mode="L"))
    chosen = load_for(class_folders("b", seed=9), trained.preprocessing, trained.class_names)
    assert chosen.images_NHWC.shape == (12, 8, 8, 1)


def test_the_class_map_is_the_models(idx_folder):
    trained = load(idx_folder())
    backwards = tuple(reversed(trained.class_names))
    there = load_for(idx_folder("again"), trained.preprocessing, backwards)
    test = trained.test.open("compare", lambda reason: None)
    assert there.split == "test"
    np.testing.assert_array_equal(there.labels_N, 3 - test.labels_N)


def test_other_classes_are_refused(class_folders, refusal):
    trained = load(class_folders("a", classes=("cat", "dog", "eel")))
    other = class_folders("b", classes=("cat", "fox", "gnu"))
    assert refusal(lambda: load_for(other, trained.preprocessing, trained.class_names)) == (
        "DIR/b: the classes of the given images differ from those of the model "
        "(only here: fox, gnu; missing here: dog, eel)\n  expected: the 3 classes cat, dog, eel"
        "\n  to mend:  give both the same classes, by the same names"
    )


def test_choosing_a_split(idx_folder, refusal):
    folder = idx_folder()
    trained = load(folder)
    sizes = {
        split: len(load_for(folder, trained.preprocessing, trained.class_names, split=split))
        for split in ("test", "train", "all")
    }
    assert sizes == {"test": 20, "train": 40, "all": 60}
    call = lambda split: lambda: load_for(folder, trained.preprocessing, trained.class_names, split=split)  # noqa: E731
    assert refusal(call("validation")) == (
        "DIR/small: there are no validation images\n  expected: one of train, test, all"
    )
    assert refusal(call("tset"), ConfigError) == (
        "--split: unknown split 'tset'\n  expected: one of train, validation, test, all"
    )


def test_the_test_images_of_a_study_are_found_again():
    trained = load("digits", splits=SplitOptions(split_seed=3))
    again = load_for("digits", trained.preprocessing, trained.class_names, splits=SplitOptions(split_seed=3))
    test = trained.test.open("compare", lambda reason: None)
    np.testing.assert_array_equal(again.images_NHWC, test.images_NHWC)
    np.testing.assert_array_equal(again.labels_N, test.labels_N)


def test_images_that_changed_since_training_are_not_divided_again() -> None:
    """Else images that a network was trained on would vouch for it."""
    record = load("digits").record
    dials = {"preprocessing": Preprocessing(**record.preprocessing), "class_names": record.class_names}
    kept = load_for(
        "digits", **dials, split="validation", splits=SplitOptions(), trained_fingerprint=record.fingerprint
    )
    assert len(kept) == 288
    with pytest.raises(DataError, match="the images changed since this network was trained"):
        load_for("digits", **dials, split="validation", splits=SplitOptions(), trained_fingerprint="0" * 64)

"""Images read from disk as they are asked for: equal to indexing an array, whatever is asked, in any process."""

from __future__ import annotations

import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linewise.foundations.errors import DataError
from linewise.images import mapped
from linewise.images.batches import Batches
from linewise.images.mapped import Mapped, in_blocks, joined, select
from linewise.images.preprocessing import Geometry, Preprocessing
from memory import forget_peak, peak

IMAGES = np.random.default_rng(3).integers(0, 256, (50, 4, 3, 3), np.uint8)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mapped") / "images.npy"
    np.save(path, IMAGES)
    with open(path, "ab") as file:
        file.write(b"what follows the images is none of them")
    return path


@given(
    rows=st.none() | st.lists(st.integers(0, 49), max_size=60),
    asked=st.lists(st.integers(0, 59), max_size=120),
    span=st.slices(60),
    most=st.sampled_from([(1024, 1 << 30), (3, 100)]),
    slowly=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_equal_to_indexing_an_array(path: Path, rows, asked, span, most, slowly) -> None:
    rows_N = None if rows is None else np.array(rows, np.int64)
    expected = IMAGES if rows_N is None else IMAGES[rows_N]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapped, "MOST_BUFFERS", most[0])
        patch.setattr(mapped, "MOST_BYTES", most[1])
        if slowly:
            patch.delattr(os, "preadv")
        images = Mapped(path, rows_N)
        assert images.shape == expected.shape
        index = np.array([i % len(expected) for i in asked] if len(expected) else [], np.int64)
        for key in (index, -index - 1 if len(expected) else index, span, np.isin(np.arange(len(expected)), index)):
            found = images[key]
            assert found.flags.writeable
            np.testing.assert_array_equal(found, expected[key])
            np.testing.assert_array_equal(np.asarray(images.take(key)), expected[key])
        np.testing.assert_array_equal(np.concatenate([expected[:0], *in_blocks(images, 100)]), expected)
        if len(expected):
            np.testing.assert_array_equal(images[len(expected) - 1], expected[-1])


def test_parts_of_one_file_are_joined_on_disk_and_others_in_memory(path: Path) -> None:
    whole = Mapped(path)
    both = joined([select(whole, slice(40, 50)), select(whole, np.array([3, 1]))])
    assert isinstance(both, Mapped)
    np.testing.assert_array_equal(both[:], np.concatenate([IMAGES[40:], IMAGES[[3, 1]]]))
    np.testing.assert_array_equal(joined([whole, IMAGES[:2]]), np.concatenate([IMAGES, IMAGES[:2]]))
    np.testing.assert_array_equal(whole.first_channel()[[7]], IMAGES[[7], :, :, :1])


def test_it_goes_to_other_processes_and_threads(path: Path) -> None:
    images = pickle.loads(pickle.dumps(Mapped(path, np.arange(50)[::-1])))
    asked = [np.random.default_rng(i).integers(0, 50, 30) for i in range(64)]
    with ThreadPoolExecutor(8) as pool:
        for index, found in zip(asked, pool.map(images.__getitem__, asked), strict=True):
            np.testing.assert_array_equal(found, IMAGES[::-1][index])


def test_batches_are_those_of_an_array(path: Path) -> None:
    labels = np.arange(50) % 7
    pre = Preprocessing.measure(Geometry(height=4, width=3, channels=3), Mapped(path))
    assert pre == Preprocessing.measure(Geometry(height=4, width=3, channels=3), IMAGES)
    kinds = [
        Batches(images, labels, pre.mean, pre.std)
        for images in (IMAGES, Mapped(path), Mapped(path).take([*range(50)]))
    ]
    kinds.append(kinds[1].to("cpu"))
    found = []
    for batches in kinds:
        generators = [torch.Generator().manual_seed(i) for i in (1, 2)]
        taken = [*batches.in_order(8), *batches.shuffled(8, generators[0], {"shift": 1}, generators[1], skip=1)]
        found.append([(x.contiguous().numpy().tobytes(), y.tolist()) for x, y in taken])
    assert found[0] == found[1] == found[2] == found[3]


def test_reading_all_of_a_file_takes_the_memory_of_a_part(tmp_path: Path) -> None:
    path, row = tmp_path / "many.npy", np.zeros((1, 64, 64, 3), np.uint8)
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (8000, 64, 64, 3))  # 98 MB
    for i in range(len(images)):
        images[i] = row + i % 251
    del images
    order = np.random.default_rng(0).permutation(8000)
    forget_peak()
    before = peak()
    total = sum(int(Mapped(path)[order[i : i + 100]][:, 0, 0, 0].sum()) for i in range(0, 8000, 100))
    assert total == sum(i % 251 for i in range(8000))
    assert peak() - before < 20 << 20


def test_files_that_hold_no_images_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"

    def refused(call) -> str:
        with pytest.raises(DataError) as caught:
            call()
        return str(caught.value).replace(str(tmp_path), "DIR")

    clear = "\n  expected: the file that Linewise wrote\n  to mend:  remove it: linewise data cache --clear"
    gone = "DIR/x.npy: the decoded images are gone from the cache\n  to mend:  the same command decodes them again"
    assert refused(lambda: Mapped(path)) == gone
    np.save(path, np.zeros((2, 3), np.float32))
    assert refused(lambda: Mapped(path)) == (
        "DIR/x.npy: the decoded images cannot be read (float32 of shape (2, 3))" + clear
    )
    np.save(path, IMAGES)
    images = Mapped(path)
    with pytest.raises(IndexError):
        images[[50]]
    os.truncate(path, 1000)
    assert refused(lambda: images[:]) == "DIR/x.npy: the decoded images cannot be read (it ends early)" + clear
    images = Mapped(path)
    path.unlink()
    assert refused(lambda: images[:1]) == gone

"""Answers on many images: in order, and in the memory of a few batches."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from linewise.images.batches import Batches
from linewise.training.evaluation import gathered, logits_and_loss, probabilities
from untrained import saved


@pytest.mark.parametrize("sizes", [[3], [2, 2, 1], [5, 1]])
def test_parts_one_after_the_other(sizes: list[int]) -> None:
    parts = [torch.rand(size, 4, 2) for size in sizes]
    assert torch.equal(gathered(iter(parts), sum(sizes)), torch.cat(parts))


def test_answers_of_all_images_in_order() -> None:
    images_NHWC = np.random.default_rng(0).integers(0, 256, (501, 12, 12, 1), np.uint8)
    labels_N = np.arange(501) % 4
    network = saved("lstm", hidden=8).network
    batches = Batches(images_NHWC, labels_N, [0.2], [0.3])
    logits_NK, loss = logits_and_loss(network, batches)
    x_NCHW = torch.from_numpy((images_NHWC / 255 - 0.2) / 0.3).float().permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected_NK = network(x_NCHW)
    torch.testing.assert_close(logits_NK, expected_NK)
    assert loss == pytest.approx(F.cross_entropy(expected_NK, torch.from_numpy(labels_N)).item(), rel=1e-5)
    np.testing.assert_allclose(probabilities(network, batches), expected_NK.softmax(1).numpy(), atol=1e-6)


CODE = """
import sys
import numpy as np
from linewise.foundations.allocator import keep_freed_memory
from linewise.images.batches import Batches
from linewise.images.mapped import Mapped
from linewise.training.along import steps_of
from linewise.training.evaluation import probabilities
from memory import forget_peak, peak
from untrained import saved

keep_freed_memory()
network = saved("gru", side=64, in_chans=3, hidden=8, reading="patches16").network

def answer(number):
    images = Mapped(sys.argv[1]).take(slice(number))
    batches = Batches(images, np.zeros(number), [0.2] * 3, [0.3] * 3)
    steps_of(network, batches, probabilities(network, batches))

answer(3000)
forget_peak()
before = peak()
answer(16000)
print(peak() - before)
"""


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    """With a list of the batches' answers this took several MB more for each batch: the answers lay where the next
    batch's images had to go."""
    np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, (8_000, 64, 64, 3))
    path = [*sys.path[1:], str(Path(__file__).parents[1])]
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n{CODE}", str(tmp_path / "images.npy")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert int(said) < 75 << 20  # 340 MB with a list

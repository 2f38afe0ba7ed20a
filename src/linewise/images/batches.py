"""Batches by indexing: images stay uint8 in memory and become float32 only as a batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from linewise.images.augment import augment


class Batches:
    """A set of images as batches.

    Args:
        images_NHWC: uint8, in memory or a memory map.
        labels_N: class indices.
        mean: per channel, as a fraction of 255.
        std: per channel, as a fraction of 255.
    """

    def __init__(self, images_NHWC: np.ndarray, labels_N: np.ndarray, mean: list[float], std: list[float]) -> None:
        self.images_NHWC = np.asarray(images_NHWC)  # indexing a memory map as such costs a third more
        self.labels_N = np.ascontiguousarray(labels_N, dtype=np.int64)
        self.mean, self.std = mean, std
        self._scale_C = 1 / (255 * torch.tensor(std, dtype=torch.float32))
        self._shift_C = -torch.tensor(mean, dtype=torch.float32) / torch.tensor(std, dtype=torch.float32)

    def __len__(self) -> int:
        return len(self.labels_N)

    def num_steps(self, batch_size: int) -> int:
        """Batches in one pass. The last one may be smaller; a single image left over joins the batch before it,
        because batch norm has no variance of one value."""
        return max(1, len(self) // batch_size + (len(self) % batch_size > 1))

    def shuffled(
        self,
        batch_size: int,
        order: torch.Generator,
        strengths: dict[str, float] | None = None,
        augmenting: torch.Generator | None = None,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """One pass in random order.

        Args:
            batch_size: images per batch.
            order: decides the order.
            strengths: augmentations, see `augment`.
            augmenting: decides the augmentations.

        Yields:
            `x_BCHW`, float32, normalised, channels-last; `y_B`, int64.
        """
        order_N = torch.randperm(len(self), generator=order).numpy()
        steps = self.num_steps(batch_size)
        for step in range(steps):
            chosen_B = order_N[step * batch_size : (step + 1) * batch_size if step < steps - 1 else None]
            x_BHWC = torch.from_numpy(self.images_NHWC[chosen_B])
            if strengths and augmenting is not None:
                x_BHWC = augment(x_BHWC, strengths, augmenting)
            yield self._normalise(x_BHWC), torch.from_numpy(self.labels_N[chosen_B])

    def in_order(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """One pass from the first image to the last, as `shuffled` without chance."""
        for start in range(0, len(self), batch_size):
            images = np.array(self.images_NHWC[start : start + batch_size])  # a copy: memory maps are read-only
            labels = self.labels_N[start : start + batch_size]
            yield self._normalise(torch.from_numpy(images)), torch.from_numpy(labels)

    def _normalise(self, x_BHWC: Tensor) -> Tensor:
        return torch.addcmul(self._shift_C, x_BHWC.float(), self._scale_C).permute(0, 3, 1, 2)

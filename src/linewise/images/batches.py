"""Batches by indexing: images stay uint8, in memory or on a device, and become float32 only as a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from linewise.images.augment import augment
from linewise.images.mapped import Images, Mapped
from linewise.images.shares import WHOLE, Share


class Batches:
    """A set of images as batches.

    Args:
        images_NHWC: uint8, in memory, a memory map, or `Mapped`, of which a batch at a time is read.
        labels_N: class indices.
        mean: per channel, as a fraction of 255.
        std: per channel, as a fraction of 255.
    """

    def __init__(self, images_NHWC: Images, labels_N: np.ndarray, mean: list[float], std: list[float]) -> None:
        on_disk = isinstance(images_NHWC, Mapped)  # indexing a memory map as such costs a third more
        self.images_NHWC = images_NHWC if on_disk else np.asarray(images_NHWC)
        self.labels_N = np.ascontiguousarray(labels_N, dtype=np.int64)
        self.mean, self.std = mean, std
        self.device = torch.device("cpu")
        self._resident: tuple[Tensor, Tensor] | None = None
        self._scale_C = 1 / (255 * torch.tensor(std, dtype=torch.float32))
        self._shift_C = -torch.tensor(mean, dtype=torch.float32) / torch.tensor(std, dtype=torch.float32)

    def to(self, device: torch.device | str, dtype: torch.dtype = torch.float32) -> Batches:
        """The same images, all of them on a device as uint8; batches are taken there and have this type. Of
        images that do not fit in memory each batch goes there when it is read.

        What is random is drawn on the processor, so that a seed means the same everywhere.
        """
        moved = Batches(self.images_NHWC, self.labels_N, self.mean, self.std)
        moved.device = torch.device(device)
        if not isinstance(self.images_NHWC, Mapped):
            images_NHWC = torch.from_numpy(np.array(self.images_NHWC))  # a copy: memory maps are read-only
            moved._resident = images_NHWC.to(moved.device), torch.from_numpy(self.labels_N).to(moved.device)
        moved._scale_C, moved._shift_C = (x_C.to(moved.device, dtype) for x_C in (self._scale_C, self._shift_C))
        return moved

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
        *,
        skip: int = 0,
        share: Share = WHOLE,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """One pass in random order.

        Args:
            batch_size: images per batch.
            order: decides the order.
            strengths: augmentations, see `augment`.
            augmenting: decides the augmentations.
            skip: batches at the beginning that are left out; nothing is drawn for their augmentation.
            share: the part of each batch that is wanted. Order and augmentation are those of the whole batch.

        Yields:
            `x_BCHW`, float32, normalised, channels-last; `y_B`, int64.
        """
        order_N = torch.randperm(len(self), generator=order).to(self.device)
        for span in self._spans(batch_size)[skip:]:
            batch_B = order_N[span]
            part = share.of(len(batch_B))
            x_BHWC, y_B = self._at(batch_B[part])
            if strengths and augmenting is not None:
                x_BHWC = augment(x_BHWC, strengths, augmenting, num_images=len(batch_B), part=part)
            yield self._normalise(x_BHWC), y_B

    def shuffled_each(
        self,
        batch_size: int,
        orders: Sequence[torch.Generator],
        strengths: dict[str, float],
        augmenting: Sequence[torch.Generator],
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """One pass of S networks side by side, each in the order and with the augmentations that `shuffled` gives
        to its generators.

        Yields:
            `x_SBCHW` and `y_SB`.
        """
        order_SN = torch.stack([torch.randperm(len(self), generator=order) for order in orders]).to(self.device)
        for span in self._spans(batch_size):
            chosen_SB = order_SN[:, span]
            x_MHWC, y_M = self._at(chosen_SB.flatten())
            if strengths:
                parts = zip(x_MHWC.chunk(len(orders)), augmenting, strict=True)
                x_MHWC = torch.cat([augment(x_BHWC, strengths, generator) for x_BHWC, generator in parts])
            yield self._normalise(x_MHWC).unflatten(0, chosen_SB.shape), y_M.view(chosen_SB.shape)

    def in_order(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """One pass from the first image to the last, as `shuffled` without chance."""
        for start in range(0, len(self), batch_size):
            span = slice(start, start + batch_size)
            if self._resident is not None:
                images, labels = (kept[span] for kept in self._resident)
            else:
                images_BHWC = self.images_NHWC[span]
                if not isinstance(self.images_NHWC, Mapped):
                    images_BHWC = images_BHWC.copy()  # memory maps are read-only
                images, labels = self._moved(images_BHWC, self.labels_N[span])
            yield self._normalise(images), labels

    def sizes(self, batch_size: int) -> list[int]:
        """Images of each batch in one pass."""
        return [len(range(*span.indices(len(self)))) for span in self._spans(batch_size)]

    def part(self, span: slice) -> Batches:
        """Some of the images that lie side by side, where these are; nothing is read yet."""
        images_NHWC = self.images_NHWC
        images_nHWC = images_NHWC.take(span) if isinstance(images_NHWC, Mapped) else images_NHWC[span]
        some = Batches(images_nHWC, self.labels_N[span], self.mean, self.std)
        some.device, some._scale_C, some._shift_C = self.device, self._scale_C, self._shift_C
        if self._resident is not None:
            images, labels = self._resident
            some._resident = images[span], labels[span]
        return some

    def _spans(self, batch_size: int) -> list[slice]:
        """Where in the order each batch lies."""
        steps = self.num_steps(batch_size)
        return [
            slice(step * batch_size, (step + 1) * batch_size if step < steps - 1 else None)
            for step in range(steps)
        ]

    def _at(self, chosen_B: Tensor) -> tuple[Tensor, Tensor]:
        """Images `BHWC`, uint8, and labels at these places."""
        if self._resident is not None:
            images_NHWC, labels_N = self._resident
            return images_NHWC[chosen_B], labels_N[chosen_B]
        index_B = chosen_B.cpu().numpy()
        return self._moved(self.images_NHWC[index_B], self.labels_N[index_B])

    def _moved(self, images_BHWC: np.ndarray, labels_B: np.ndarray) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(images_BHWC).to(self.device), torch.from_numpy(labels_B).to(self.device)

    def _normalise(self, x_BHWC: Tensor) -> Tensor:
        x_BHWC = x_BHWC.to(self._scale_C.dtype)
        return torch.addcmul(self._shift_C, x_BHWC, self._scale_C).permute(0, 3, 1, 2)

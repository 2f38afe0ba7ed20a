"""From any image to what the networks see: one object, stored with the model, used by every later command."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from pydantic import Field, model_validator

from linewise.foundations.records import Record
from linewise.images.mapped import Images, in_blocks
from linewise.images.options import Fit, ImageOptions

if TYPE_CHECKING:
    from PIL.Image import Image


class Geometry(Record):
    """The shape all images are brought to.

    Attributes:
        channels: 1 grey, 3 colour.
        fit: how an image of another shape is brought to this one.
    """

    height: int = Field(ge=1)
    width: int = Field(ge=1)
    channels: int = Field(ge=1, le=3)
    fit: Fit = "letterbox"

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels

    def apply(self, image: Image) -> np.ndarray:
        """Bring one image to this shape.

        Args:
            image: of any mode: 16-bit, palette, alpha (shown on white), CMYK; EXIF orientation is applied.

        Returns:
            uint8 `HWC`.

        Raises:
            ValueError: pixels that cannot be read as grey or colour.
            OSError: the image is cut off or damaged.
        """
        from linewise.images.files.pixels import bring, plain_upright

        return bring(plain_upright(image), self.height, self.width, self.channels, self.fit)

    def conform(self, images_NHWC: np.ndarray) -> np.ndarray:
        """The same for images that are arrays already; the array itself where it has this shape."""
        from PIL import Image

        if images_NHWC.shape[1:] == (self.height, self.width, self.channels):
            return images_NHWC
        out_NHWC = np.empty((len(images_NHWC), self.height, self.width, self.channels), np.uint8)
        for i, image_HWC in enumerate(images_NHWC):
            out_NHWC[i] = self.apply(Image.fromarray(image_HWC[:, :, 0] if image_HWC.shape[2] == 1 else image_HWC))
        return out_NHWC


class Preprocessing(Geometry):
    """A shape, and the mean and standard deviation of the training images per channel, as fractions of 1."""

    mean: list[float]
    std: list[float]

    @model_validator(mode="after")
    def _one_per_channel(self) -> Preprocessing:
        if self.channels == 2 or not len(self.mean) == len(self.std) == self.channels:
            raise ValueError("one mean and one std per channel, and one channel or three")
        if min(self.std) <= 0:
            raise ValueError("std above 0")
        return self

    @classmethod
    def measure(cls, geometry: Geometry, images_NHWC: Images) -> Preprocessing:
        """From the training images, uint8 `NHWC`; exact, by counting values."""
        counts = np.zeros((geometry.channels, 256), np.int64)
        for block in in_blocks(images_NHWC):
            for channel in range(geometry.channels):
                counts[channel] += np.bincount(block[..., channel].ravel(), minlength=256)
        value = np.arange(256) / 255
        share = counts / counts.sum(1, keepdims=True)
        mean = share @ value
        std = np.sqrt(np.maximum(share @ value**2 - mean**2, 0))
        std = np.where(std < 1 / 255, 1.0, std)  # images of one value: nothing to stretch
        return cls(**geometry.model_dump(), mean=mean.tolist(), std=std.tolist())

    @property
    def is_dark(self) -> bool:
        """Whether the training images were mostly dark."""
        return sum(self.mean) < 0.5 * len(self.mean)

    def looks_reversed(self, image_HWC: np.ndarray) -> bool:
        """Whether a prepared grey image is light where the training images are dark, or dark where they are light.

        Its border and its mean are beyond 0.6 of the way from black to white (or the reverse), and the training
        images' mean is within 0.4: images without such a ground, such as photographs, are never named.
        """
        if self.channels != 1 or 0.4 < self.mean[0] < 0.6:
            return False
        edges = np.concatenate([image_HWC[0], image_HWC[-1], image_HWC[:, 0], image_HWC[:, -1]])
        ground = float(np.median(edges)) / 255, float(image_HWC.mean()) / 255
        return min(ground) > 0.6 if self.is_dark else max(ground) < 0.4

    def normalise(self, images_NHWC: np.ndarray) -> np.ndarray:
        """uint8 `NHWC` (or one `HWC`) to float32 `NCHW`, mean 0 and standard deviation 1 over the training set."""
        images_NHWC = images_NHWC[None] if images_NHWC.ndim == 3 else images_NHWC
        scale = (1 / (255 * np.array(self.std))).astype(np.float32)
        shift = (-np.array(self.mean) / np.array(self.std)).astype(np.float32)
        x_NHWC = images_NHWC.astype(np.float32) * scale + shift
        return np.ascontiguousarray(x_NHWC.transpose(0, 3, 1, 2))


def read_image(
    file: str | Path | IO[bytes], preprocessing: Geometry, *, options: ImageOptions | None = None, name: str = ""
) -> np.ndarray:
    """Read one image file as the networks see it, uint8 `HWC`.

    Args:
        file: a path, or an open binary file.
        name: what errors call it; by default its path.

    Raises:
        DataError: no image, cut off, too large, not readable.
    """
    from linewise.foundations.errors import DataError
    from linewise.images.files.decode import MEND, decode

    outcome = decode(file, preprocessing, (options or ImageOptions()).max_megapixels)
    if isinstance(outcome, str):
        where = name or (str(file) if isinstance(file, str | Path) else getattr(file, "name", "image"))
        raise DataError(
            outcome, where=str(where), expected="a PNG, JPEG, WebP, TIFF, BMP, GIF or PNM image", mend=MEND
        )
    return outcome.image_HWC

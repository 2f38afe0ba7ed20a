"""Images in Ray's object store: sent to a node once, and mapped by all runs there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from linewise.foundations.errors import ConfigError
from linewise.images.mapped import Mapped
from linewise.study.job import Arrays


@final
@dataclass(frozen=True)
class Stored(Arrays):
    """Images and labels that the launcher has put into the object store.

    Attributes:
        references: of `images_NHWC` and `labels_N`.
    """

    references: tuple[Any, ...] = ()

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        import ray

        images_NHWC, labels_N = ray.get(list(self.references))
        return images_NHWC, np.array(labels_N)  # what comes from the store cannot be written to


@final
class Store:
    """What the launcher has put there; it stays until this object is gone."""

    def __init__(self) -> None:
        self._put: dict[tuple[Any, ...], Stored] = {}

    def stored(self, arrays: Arrays) -> Arrays:
        """The same images from the object store, put there where they are not yet.

        Raises:
            ConfigError: they do not fit in memory.
        """
        import ray

        paths = arrays.images, arrays.labels
        key = tuple(
            (path, stat.st_ino, stat.st_mtime_ns, stat.st_size) for path in paths for stat in [path.stat()]
        )
        if key not in self._put:
            images_NHWC, labels_N = arrays.load()
            if isinstance(images_NHWC, Mapped):
                raise ConfigError(
                    f"images that do not fit in memory ({images_NHWC.nbytes:,} bytes)",
                    where="--on",
                    expected="images that this machine and each node can hold",
                    mend="take fewer (--images) or smaller ones (--size), or raise LINEWISE_IN_MEMORY "
                    "(docs/scale.md)",
                )
            references = ray.put(np.asarray(images_NHWC)), ray.put(labels_N)
            self._put[key] = Stored(arrays.images, arrays.labels, references=references)
        return self._put[key]

"""Which images train, choose and examine: stratified, by seed, never one image in two splits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linewise.foundations.amounts import count
from linewise.foundations.errors import ConfigError, DataError
from linewise.foundations.names import shown
from linewise.foundations.seeds import stream
from linewise.images.options import SplitOptions

SHARE = 0.2
"""Part of the training images that goes to a split the data do not have."""


@dataclass(frozen=True)
class Usual:
    """What is usual for a data set known by name: numbers of training and validation images."""

    images: int | None = None
    validation: int | None = None


@dataclass(frozen=True)
class Plan:
    """Indices into the source's training images, ascending."""

    train: np.ndarray
    validation: np.ndarray | None = None
    test: np.ndarray | None = None


def plan(
    labels_N: np.ndarray,
    group_N: np.ndarray,
    options: SplitOptions,
    class_names: tuple[str, ...],
    *,
    has_validation: bool,
    has_test: bool,
    usual: Usual = Usual(),
    where: str = "",
) -> Plan:
    """Divide the training images.

    Test images are taken first, then validation images, then training images, each with a stream of randomness of
    its own: another number of training images leaves the others as they are. Images with the same pixels stay
    together, in the class of the first of them.

    Args:
        labels_N: class of each image.
        group_N: images with the same number have the same pixels.
        has_validation, has_test: what the data hold already, and is not taken from the training images.

    Raises:
        DataError: a class is too small. ConfigError: more images are asked for than there are.
    """
    num_classes = len(class_names)
    wanted = ["training"] + ["validation"] * (not has_validation) + ["test"] * (not has_test)
    pool = _Pool(labels_N, group_N, num_classes)
    if len(pool) < (usual.images or 0) + (usual.validation or 0):
        usual = Usual()  # a part of that data set
    for k, size in enumerate(pool.num_groups()):
        if size < len(wanted):
            raise DataError(
                f"class {shown(repr(class_names[k]))} has {count(int(size), 'different image')}, "
                f"too few to divide into {' and '.join(wanted)} images",
                where=where,
                expected=f"at least {len(wanted)}",
                mend="add images of this class, or leave the class out",
            )
    test = validation = None
    if not has_test:
        number = _number(options.test, SHARE, len(pool), "test", keep=(1 + (not has_validation)) * num_classes)
        test = pool.take(pool.proportional(number), stream(options.split_seed, "test images"), 2 - has_validation)
    if not has_validation:
        rest = len(pool) - (options.images or 0)
        default = SHARE if usual.validation is None else min(usual.validation, max(rest, num_classes))
        number = _number(options.validation, default, len(pool), "validation", keep=num_classes)
        if options.validation is None and options.images:
            number = max(num_classes, min(number, rest))
        validation = pool.take(pool.proportional(number), stream(options.split_seed, "validation images"), 1)
    images = options.images or (min(usual.images, len(pool)) if usual.images else None)
    if images is None:
        return Plan(pool.rest(), validation, test)
    if not num_classes <= images <= len(pool):
        raise ConfigError(
            f"{images:,} training images asked for, {len(pool):,} there",
            where="--images",
            expected=f"from {num_classes:,} to {len(pool):,}, what validation and test images leave",
        )
    return Plan(
        pool.take(pool.balanced(images), stream(options.split_seed, "training images"), 0), validation, test
    )


def _number(option: float | int | None, default: float | int, size: int, split: str, *, keep: int) -> int:
    value = default if option is None else option
    number = round(value * size) if isinstance(value, float) else value
    if option is not None and not 1 <= number <= size - keep:
        raise ConfigError(
            f"{number:,} {split} images asked for, of {size:,}",
            where=f"--{split}",
            expected=f"from 1 to {max(1, size - keep):,}",
        )
    return max(1, min(number, size - keep))


class _Pool:
    """Images not yet given to a split, as groups of equal images per class; groups in the order of their first."""

    def __init__(self, labels_N: np.ndarray, group_N: np.ndarray, num_classes: int) -> None:
        _, first_G, inverse_N = np.unique(group_N, return_index=True, return_inverse=True)
        order_G = np.argsort(first_G)
        number_G = np.empty_like(order_G)
        number_G[order_G] = np.arange(len(order_G))
        self._group_N = number_G[inverse_N]
        self._size_G = np.bincount(self._group_N)
        label_G = labels_N[first_G[order_G]]
        self._left = [np.flatnonzero(label_G == k) for k in range(num_classes)]

    def num_groups(self) -> list[int]:
        return [len(groups) for groups in self._left]

    def _sizes(self) -> np.ndarray:
        return np.array([self._size_G[groups].sum() for groups in self._left])

    def __len__(self) -> int:
        return int(self._sizes().sum())

    def rest(self) -> np.ndarray:
        return self._images(self._left)

    def _images(self, groups: list[np.ndarray]) -> np.ndarray:
        """The images of these groups, ascending."""
        chosen_G = np.zeros(len(self._size_G), bool)
        chosen_G[np.concatenate(groups)] = True
        return np.flatnonzero(chosen_G[self._group_N])

    def proportional(self, number: int) -> np.ndarray:
        """Images per class, in proportion, at least one each; by largest remainders."""
        sizes_K = self._sizes()
        exact_K = number * sizes_K / sizes_K.sum()
        quota_K = np.maximum(np.floor(exact_K).astype(int), 1)
        for k in np.argsort(-(exact_K - np.floor(exact_K)), kind="stable"):
            if quota_K.sum() >= number:
                break
            quota_K[k] += 1
        return quota_K

    def balanced(self, number: int) -> np.ndarray:
        """Images per class, as equal as the sizes allow."""
        sizes_K = self._sizes()
        quota_K = np.zeros(len(sizes_K), int)
        while (left := number - int(quota_K.sum())) > 0:
            open_K = np.flatnonzero(quota_K < sizes_K)
            share, over = divmod(left, len(open_K))
            more_K = np.full(len(open_K), share)
            more_K[:over] += 1
            quota_K[open_K] += np.minimum(more_K, sizes_K[open_K] - quota_K[open_K])
        return quota_K

    def take(self, quota_K: np.ndarray, seed: int, keep: int) -> np.ndarray:
        """Remove about `quota_K` images per class, whole groups only, leaving at least `keep` groups of each."""
        generator = np.random.Generator(np.random.PCG64(seed))
        taken: list[np.ndarray] = []
        for k, groups in enumerate(self._left):
            sizes, quota = self._size_G[groups].tolist(), int(quota_K[k])
            chosen_g, number, left = np.zeros(len(groups), bool), 0, len(groups)
            for i in generator.permutation(len(groups)).tolist():
                if number == quota or left <= keep:
                    break
                if number + sizes[i] <= quota:
                    chosen_g[i] = True
                    number, left = number + sizes[i], left - 1
            if not number and len(groups) > keep:  # no group is small enough
                chosen_g[int(np.argmin(sizes))] = True
            taken.append(groups[chosen_g])
            self._left[k] = groups[~chosen_g]
        return self._images(taken)

"""Which images are the same, pixel for pixel."""

from __future__ import annotations

import hashlib

import numpy as np

from linewise.images.files.cache import DIGEST, digest_of, digests_of
from linewise.images.mapped import Images, Mapped, in_blocks


def groups_of(*parts_NHWC: Images) -> list[np.ndarray]:
    """A group number for each image; images with the same pixels, in any of the parts, share one.

    Args:
        *parts_NHWC: uint8 images, all of one shape.

    Returns:
        For each part int64 `N`; numbers in the order in which the groups first appear.
    """
    digests_M = np.concatenate([_digests(images_NHWC) for images_NHWC in parts_NHWC])
    halves_M2 = digests_M.view("<u8").reshape(-1, 2)
    order_M = np.lexsort(halves_M2.T)
    ordered_M2 = halves_M2[order_M]
    begins_M = np.append(True, (ordered_M2[1:] != ordered_M2[:-1]).any(1))[: len(order_M)]
    first_G = order_M[begins_M]  # lexsort is stable: the first of equal ones comes first
    number_G = np.empty_like(first_G)
    number_G[np.argsort(first_G)] = np.arange(len(first_G))
    group_M = np.empty_like(order_M)
    group_M[order_M] = number_G[np.cumsum(begins_M) - 1]
    return np.split(group_M, np.cumsum([len(images_NHWC) for images_NHWC in parts_NHWC])[:-1])


def _digests(images_NHWC: Images) -> np.ndarray:
    if isinstance(images_NHWC, Mapped):
        return digests_of(images_NHWC)
    joined = b"".join(digest_of(image) for block in in_blocks(images_NHWC) for image in block)
    return np.frombuffer(joined, f"V{DIGEST}")


def fingerprint(class_names: tuple[str, ...], parts: dict[str, tuple[Images, np.ndarray]]) -> str:
    """SHA-256 over the class names and all images and labels.

    Args:
        parts: uint8 images `NHWC` and int64 labels by split.
    """
    digest = hashlib.sha256()
    for name in class_names:
        encoded = name.encode("utf-8", "surrogateescape")
        digest.update(len(encoded).to_bytes(4, "little") + encoded)
    for split, (images_NHWC, labels_N) in parts.items():
        digest.update(f"{split} {images_NHWC.shape}".encode())
        digest.update(np.ascontiguousarray(labels_N, "<i8").data)
        for block in in_blocks(images_NHWC):
            digest.update(block.data)
    return digest.hexdigest()

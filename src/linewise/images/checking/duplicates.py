"""Which images are the same, pixel for pixel."""

from __future__ import annotations

import hashlib

import numpy as np


def groups_of(*parts_NHWC: np.ndarray) -> list[np.ndarray]:
    """A group number for each image; images with the same pixels, in any of the parts, share one.

    Args:
        *parts_NHWC: uint8 images, all of one shape.

    Returns:
        For each part int64 `N`.
    """
    numbers: dict[bytes, int] = {}
    found = []
    for images_NHWC in parts_NHWC:
        group_N = np.empty(len(images_NHWC), np.int64)
        for start in range(0, len(images_NHWC), 4096):
            block = np.ascontiguousarray(images_NHWC[start : start + 4096])
            for i, image in enumerate(block, start):
                digest = hashlib.blake2b(image.data, digest_size=16).digest()
                group_N[i] = numbers.setdefault(digest, len(numbers))
        found.append(group_N)
    return found


def fingerprint(class_names: tuple[str, ...], parts: dict[str, tuple[np.ndarray, np.ndarray]]) -> str:
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
        for start in range(0, len(images_NHWC), 4096):
            digest.update(np.ascontiguousarray(images_NHWC[start : start + 4096]).data)
    return digest.hexdigest()

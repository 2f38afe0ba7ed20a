"""How much the mistakes of every two runs have in common. Each measure is a symmetric matrix `RR`."""

from __future__ import annotations

import numpy as np
from scipy import sparse


def kappa(correct_RN: np.ndarray) -> np.ndarray:
    """Cohen's κ of being right (Cohen 1960), the error consistency of Geirhos, Meding and Wichmann (2020).

    0: as often right and wrong together as independent runs of these accuracies; 1: on the same images.
    NaN where neither of two runs errs (or neither is ever right).
    """
    right_RN = correct_RN.astype(np.float32)
    images, share_R = right_RN.shape[1], correct_RN.mean(axis=1)
    return kappa_of((right_RN @ right_RN.T).astype(np.float64) / images, share_R)


def kappa_of(together_RR: np.ndarray, share_R: np.ndarray) -> np.ndarray:
    """κ from the share of images that two runs both get right (or both wrong), and the share of each.

    Args:
        together_RR: any number of leading axes.
        share_R: the same leading axes.
    """
    first, second = share_R[..., :, None], share_R[..., None, :]
    observed = 1 - first - second + 2 * together_RR
    expected = first * second + (1 - first) * (1 - second)
    chance = 1 - expected
    return np.divide(observed - expected, chance, out=np.full(chance.shape, np.nan), where=chance > 1e-12)


def jaccard(correct_RN: np.ndarray) -> np.ndarray:
    """Images that both get wrong, of those that either does; NaN where neither errs."""
    wrong_RN = (~correct_RN).astype(np.float32)
    both_RR = (wrong_RN @ wrong_RN.T).astype(np.float64)
    wrong_R = np.diag(both_RR)
    either_RR = wrong_R[:, None] + wrong_R[None, :] - both_RR
    return np.divide(both_RR, either_RR, out=np.full(both_RR.shape, np.nan), where=either_RR > 0)


def same_answers(predicted_RN: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """Of the images that both get wrong, the share to which both give the same wrong class; NaN without any."""
    run, image = np.nonzero(predicted_RN != labels_N)
    classes = int(predicted_RN.max()) + 1
    shape = len(predicted_RN), predicted_RN.shape[1]
    ones = np.ones(len(run))
    wrong = sparse.csr_array((ones, (run, image)), shape=shape)
    answers = sparse.csr_array(
        (ones, (run, image * classes + predicted_RN[run, image])), shape=(shape[0], shape[1] * classes)
    )
    both_RR, same_RR = (wrong @ wrong.T).toarray(), (answers @ answers.T).toarray()
    return np.divide(same_RR, both_RR, out=np.full(both_RR.shape, np.nan), where=both_RR > 0)


def between_groups(matrix_RR: np.ndarray, group_R: np.ndarray) -> np.ndarray:
    """Mean over all pairs of runs of two groups, `GG`; on the diagonal over pairs of different runs of one.

    NaN where there is no such pair. Groups are numbered from 0.
    """
    groups = int(group_R.max()) + 1
    member_GR = (group_R == np.arange(groups)[:, None]).astype(np.float64)
    known_RR = np.isfinite(matrix_RR) & ~np.eye(len(group_R), dtype=bool)
    count_GG = member_GR @ known_RR @ member_GR.T
    sum_GG = member_GR @ np.where(known_RR, matrix_RR, 0.0) @ member_GR.T
    return np.divide(sum_GG, count_GG, out=np.full(sum_GG.shape, np.nan), where=count_GG > 0)

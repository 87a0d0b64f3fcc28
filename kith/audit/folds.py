"""Folds for what has to be judged by a model that has not seen it."""

import numpy as np


def folds(groups: np.ndarray, labels: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """(n,) int64, the fold 0…count − 1 of each item: groups stay together, and classes are in all folds alike.

    groups: (n,) integers; labels: (n,) integers, the first item's stands for its group.

    >>> folds(np.array([0, 1, 2, 3, 3, 5]), np.array([7, 7, 8, 8, 8, 9]), 2).tolist()
    [0, 1, 1, 0, 0, 0]
    """
    _, first, own = np.unique(groups, return_index=True, return_inverse=True)
    random = np.random.default_rng(seed).permutation(len(first))
    order = np.lexsort((random, labels[first]))
    fold = np.empty(len(first), np.int64)
    fold[order] = np.arange(len(first)) % count
    return fold[own]

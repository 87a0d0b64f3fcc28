"""Pairs of items that are equal in a key, such as the row of their picture or a text."""

import numpy as np


def same_pairs(keys: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(n, 2) int64: each row, and the first row of the same key, where they are of different groups; ascending.

    keys: (m,) integers or strings, equal for what is equal; below 0 (integers) for what has none. groups: (m,)
    integers, equal for items that are the same thing anyway.

    >>> same_pairs(np.array([4, 4, -1, 4, -1]), np.array([0, 1, 2, 0, 3])).tolist()
    [[0, 1]]
    """
    known = np.flatnonzero(keys >= 0) if np.issubdtype(keys.dtype, np.integer) else np.arange(len(keys))
    _, first, own = np.unique(keys[known], return_index=True, return_inverse=True)
    start = known[first[own]]
    kept = groups[start] != groups[known]
    return np.stack([start[kept], known[kept]], axis=1)

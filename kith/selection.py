"""The best of many numbers: a look that finds a few more than are wanted, so that only these have to be sorted."""

import numpy as np


def reached(values: np.ndarray, k: int, heaps: int, slack: float = 0, better: np.ufunc = np.maximum) -> np.ndarray:
    """Places, in `values` as one row, of all that can be among the k best of their row, and few more.

    values: (n,), or (rows, n) of which each row has k best. heaps: in times of k, at least how many numbers a row is
    folded to; more of them make the bound higher, and longer to find. slack: what is worse than the bound by so much
    is still taken, for values that are not exact. better: np.maximum or np.minimum, which says what is best.

    A row is folded until there are `heaps` · k numbers, or up to twice as many, each the best of some columns. The k-th
    best of these is a bound that k columns reach at least. No sort is needed to see which do.

    >>> reached(np.array([[1, 9, 8, 2], [7, 0, 0, 7]]), k=1, heaps=2).tolist()
    [1, 4, 7]
    """
    n = values.shape[-1]
    if k >= n:
        return np.arange(values.size)
    folded = values
    while (half := folded.shape[-1] // 2) >= heaps * k:
        folded = better(folded[..., :half], folded[..., half : 2 * half])
    if better is np.minimum:
        return np.flatnonzero(values <= np.partition(folded, k - 1, axis=-1)[..., k - 1, None] + slack)
    last = folded.shape[-1] - k
    return np.flatnonzero(values >= np.partition(folded, last, axis=-1)[..., last, None] - slack)

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
    if not 0 < k < n:  # all, or none
        return np.arange(values.size if k else 0)
    folded = values
    while (half := folded.shape[-1] // 2) >= heaps * k:
        folded = better(folded[..., :half], folded[..., half : 2 * half])
    last = k - 1 if better is np.minimum else folded.shape[-1] - k
    bound = np.partition(folded, last, axis=-1)[..., last, None]
    if slack:  # as a float: whole numbers without a sign have none below 0
        bound = bound + float(slack if better is np.minimum else -slack)
    return np.flatnonzero(values <= bound if better is np.minimum else values >= bound)

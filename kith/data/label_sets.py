"""Several labels an item: lists of names as a table of truth values."""

from collections.abc import Iterable, Sequence

import numpy as np

from kith.data.labels import numbered


def label_sets(names: Sequence[Iterable[str]]) -> tuple[list[str], np.ndarray]:
    """All labels, sorted, by their number where they are whole numbers, and which of them each item has, (n, C) bool.

    >>> label_sets([["sky", "sea"], [], ["sea"]])
    (['sea', 'sky'], array([[ True,  True],
           [False, False],
           [ True, False]]))
    """
    flat = [name for each in names for name in each]
    numbers, called = numbered(flat)
    known = dict(sorted(zip(numbers.tolist(), called, strict=True)))
    places = np.searchsorted(np.array(list(known), dtype=np.int64), numbers)
    sets = np.zeros((len(names), len(known)), dtype=bool)
    sets[np.repeat(np.arange(len(names)), [len(list(each)) for each in names]), places] = True
    return list(known.values()), sets

"""The look that finds the best of many numbers, against sorting."""

import numpy as np
import pytest

from kith.neighbors import nearest
from kith.selection import reached


@pytest.mark.parametrize("better", [np.maximum, np.minimum], ids=["highest", "lowest"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64], ids=lambda dtype: dtype.__name__)
def test_all_that_are_as_good_as_the_last_of_the_best_are_found(dtype, better):
    """Of few values many are equal; rows are of odd lengths too; some are no neighbour, −inf."""
    random = np.random.default_rng(0)
    for _ in range(300):
        n, rows, heaps, slack = (int(random.integers(low, high)) for low, high in ((1, 70), (1, 4), (1, 5), (0, 2)))
        k = int(random.integers(1, n + 2))
        values = random.integers(0, random.choice([2, 100]), (rows, n)).astype(dtype)
        if dtype in (np.float32, np.float64):
            values[random.random(values.shape) < 0.2] = -np.inf
        found = np.isin(np.arange(values.size), reached(values, k, heaps, slack, better)).reshape(rows, n)
        for row, kept in zip(values.astype(np.float64) * (1 if better is np.minimum else -1), found, strict=True):
            assert kept[row <= np.sort(row)[min(k, n) - 1] + slack].all()
        np.testing.assert_array_equal(reached(values[0], k, heaps, slack, better), np.flatnonzero(found[0]))


def test_none_are_the_best_none():
    assert reached(np.ones((2, 3)), 0, heaps=2).tolist() == []
    assert nearest(np.eye(3), np.arange(2), k=0)[0].shape == (2, 0)

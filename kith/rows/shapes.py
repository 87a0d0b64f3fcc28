"""Batches of fixed shapes: what a network makes of a row then depends on that row alone, to the last bit.

A product of matrices is added up in an order that depends on their sizes, so the same text gets other last bits where
it is filled up to another length, or stands in a smaller batch. Here a text of n tokens is always filled up to
`padded(n)`, and a batch always to its full size, with repetitions of its first row. How many texts that is depends on
their length alone: the longer they are, the fewer of them keep a processor busy, and the less is filled up in vain.
"""

from collections.abc import Callable, Iterator

import numpy as np

STEP = 4  # tokens, at least, between two lengths
BUSY = 256  # tokens at a time with which a core has enough to do


def padded(lengths: np.ndarray, most: int) -> np.ndarray:
    """(n,) int64: the lengths to which texts of so many tokens are filled up: at most an eighth more, or three tokens;
    and at most `most`, which is at least the longest.

    >>> padded(np.array([1, 4, 5, 33, 40, 41, 250]), most=255).tolist()
    [4, 4, 8, 36, 40, 44, 255]
    """
    lengths = np.maximum(np.asarray(lengths, dtype=np.int64), 1)
    digits = np.frexp(lengths - 1)[1]  # in base 2
    step = np.maximum(STEP, np.left_shift(1, np.maximum(digits - 4, 0)))
    return np.minimum(-(-lengths // step) * step, most)


def size_of(length: int, most: int, cores: int) -> int:
    """How many texts of this many tokens, at most `most`, keep so many cores of a processor busy.

    >>> [size_of(length, most=32, cores=1) for length in (4, 8, 12, 16, 64, 512)]
    [32, 32, 21, 16, 4, 1]
    """
    return min(most, max(1, BUSY * cores // length))


def batches(rows: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, int]]:
    """Rows (size,) of each batch, and how many of them count: the last one is filled up with its first row.

    >>> [(batch.tolist(), count) for batch, count in batches(np.arange(3), 2)]
    [([0, 1], 2), ([2, 2], 1)]
    """
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        yield np.concatenate([batch, np.repeat(batch[:1], size - len(batch))]), len(batch)


def alone(network: Callable[[np.ndarray], np.ndarray], size: int) -> bool:
    """Whether each row of a batch of this size gets the same bits wherever it stands, and whatever stands beside it.

    network: (size,) numbers of different rows to their vectors.

    >>> alone(lambda rows: rows * 2.0, 8), alone(lambda rows: rows - rows.mean(), 8)
    (True, False)
    """
    rows = np.arange(size)
    # Every second row in another place, beside others.
    order = np.roll(np.where(rows % 2, rows, 0)[::-1], 1)
    return np.array_equal(network(order), network(rows)[order])

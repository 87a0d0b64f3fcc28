"""The few nearest of many, in the order that float64 gives them, at about the price of one product in float32.

The product in float32 says which items can be among the nearest, and in what order, wherever two of them are further
apart than its rounding. What it leaves open, some in a hundred, is computed in float64.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from kith.metrics.ordering import RankedLists, gpu_of, ranked_lists
from kith.metrics.ties import TiedList
from kith.selection import reached
from kith.similarity import as_matrix, similarity_blocks, top_k, unit_rows

# Rows that are multiplied at once: of fewer a BLAS spends more time on packing the items than on products; and how many
# products there are at once, at most.
AT_ONCE, HELD = 512, 1 << 25
CACHED = 1 << 18  # products that are looked at while they stay in a processor's cache
HEAPS = 4  # in times of the limit: see `reached`
ROUNDING = 2.0**-24  # of one float32 operation, as a share

Exact = Callable[[np.ndarray, np.ndarray], np.ndarray]


class _Search(NamedTuple):
    """asked (n, d) and items (m, d), float32, scaled so that no row is longer than 1; the higher the product, the
    nearer. slack: products further apart than this are in their order. exact: of numbers of rows asked and of items,
    their distances in float64. own: (n,) the item that each row is, and does not find, or None."""

    asked: np.ndarray
    items: np.ndarray
    slack: float
    exact: Exact
    own: np.ndarray | None


def closest_lists(vectors: Any, queries: np.ndarray, limit: int, normalize: bool = False) -> Iterator[RankedLists]:
    """What `kith.metrics.ordering.ranked_lists` returns, of one vector an item, faster where `limit` is small.

    >>> ((_, order, tied),) = closest_lists(np.array([[0.0], [1.0], [-1.0]]), np.arange(3), limit=1)
    >>> order.tolist(), tied[0].order.tolist()
    ([[1], [0], [0]], [1, 2])
    """
    if gpu_of(vectors) is not None or 2 * HEAPS * limit > len(vectors):
        yield from ranked_lists(vectors, queries, limit, normalize)
        return
    rows = as_matrix(vectors, "vectors").astype(np.float64, copy=False)
    if normalize:
        rows = unit_rows(rows, "features")
    squared = np.einsum("ij,ij->i", rows, rows)
    if not np.isfinite(4 * squared).all():  # which it says better
        yield from ranked_lists(vectors, queries, limit, normalize)
        return

    def exact(asked: np.ndarray, items: np.ndarray) -> np.ndarray:
        asked = queries[asked]
        products = np.einsum("ij,ij->i", rows[asked], rows[items])
        found = 1 - products if normalize else squared[asked] - 2 * products + squared[items]
        return np.maximum(found, 0)

    search = _search(rows[queries], rows, normalize, exact, queries)
    for block, order, tied, many in _lists(search, limit):
        part = queries[block]
        start = 0
        for whole in ranked_lists(vectors, part[many], limit, normalize) if len(many) else ():
            at = many[start : start + len(whole.queries)]
            order[at] = whole.order
            tied += [each._replace(row=int(at[each.row])) for each in whole.tied]
            start += len(at)
        yield RankedLists(part, order, tied)


def closest_items(queries: np.ndarray, items: np.ndarray, limit: int, itself: bool = False) -> np.ndarray:
    """(n, limit) int64 nearest of `items` (m, d) to each query (n, d), float64, by Euclidean distance, of equally near
    ones the lower first. itself: the queries are the items, and find not themselves.

    >>> closest_items(np.array([[0.1]]), np.array([[1.0], [0.0], [2.0]]), limit=2).tolist()
    [[1, 0]]
    """
    squared = np.einsum("ij,ij->i", items, items)
    own = np.arange(len(items)) if itself else None
    found = np.empty((len(queries), limit), dtype=np.int64)

    def exact(asked: np.ndarray, known: np.ndarray) -> np.ndarray:
        return squared[known] - 2 * np.einsum("ij,ij->i", queries[asked], items[known])

    left = np.arange(len(queries))
    if 2 * HEAPS * limit <= len(items) and np.isfinite(squared).all() and np.isfinite(queries).all():
        rest = []
        for block, order, _, many in _lists(_search(queries, items, False, exact, own), limit):
            found[block] = order
            rest.append(block.start + many)
        left = np.concatenate(rest)
    if not len(left):
        return found
    # |q − x|² = |q|² − 2 q·x + |x|²: the nearest have the highest 2 q·x − |x|².
    known, asked = np.hstack([2 * items, -squared[:, None]]), queries[left]
    for block, near in similarity_blocks(np.hstack([asked, np.ones((len(left), 1))]), known):
        if own is not None:
            near[np.arange(len(near)), left[block]] = -np.inf
        found[left[block]] = top_k(near, limit)[0]
    return found


def _search(asked: np.ndarray, items: np.ndarray, unit: bool, exact: Exact, own: np.ndarray | None) -> _Search:
    """By cosine of unit rows, or by the higher q·x − |x|²/2, the nearer by Euclidean distance."""
    # Of a product of d numbers: rounded factors, products and sums, all of rows up to 1 and of squares up to a half.
    slack = 2 * 1.5 * (items.shape[1] + 6) * ROUNDING
    if unit:
        return _Search(asked.astype(np.float32), items.astype(np.float32), slack, exact, own)
    # Distances stay as they are when all rows move; near the origin their rounding is the least.
    middle = items.mean(axis=0)
    asked, items = asked - middle, items - middle
    squared = np.einsum("ij,ij->i", items, items)
    longest = np.sqrt(max(squared.max(initial=0), np.einsum("ij,ij->i", asked, asked).max(initial=0)))
    scale = 2.0 ** -np.frexp(longest)[1]
    known = _with_last(items, scale, squared * (scale * scale / -2))
    return _Search(_with_last(asked, scale, 1.0), known, slack, exact, own)


def _with_last(rows: np.ndarray, scale: float, last: Any) -> np.ndarray:
    """(n, d + 1) float32: `rows` times `scale`, and one more number each."""
    found = np.empty((len(rows), rows.shape[1] + 1), np.float32)
    np.multiply(rows, scale, out=found[:, :-1], casting="same_kind")
    found[:, -1] = last
    return found


def _lists(search: _Search, limit: int) -> Iterator[tuple[slice, np.ndarray, list[TiedList], np.ndarray]]:
    """For block after block of rows asked: its slice, the nearest (block, limit), the lists of these in which items
    tie, and the rows of the block with so many candidates that they are better sorted whole; their lists are empty."""
    rows = max(1, min(AT_ONCE, HELD // max(len(search.items), limit)))
    held = np.empty((min(rows, len(search.asked)), len(search.items)), dtype=np.float32)
    for first in range(0, len(search.asked), rows):
        block = slice(first, min(first + rows, len(search.asked)))
        products = np.matmul(search.asked[block], search.items.T, out=held[: block.stop - first])
        yield block, *_of_block(products, block, limit, search)


def _of_block(
    products: np.ndarray, block: slice, limit: int, search: _Search
) -> tuple[np.ndarray, list[TiedList], np.ndarray]:
    """Of the products of a block, which it changes, what `_lists` gives."""
    if search.own is not None:
        products[np.arange(len(products)), search.own[block]] = -np.inf
    rows, columns, many = _candidates(products, limit, search.slack)
    order, equal = _ordered(products, rows, columns, limit, block.start, search)
    tied = []
    for row in np.flatnonzero(equal[:, 1 : limit + 1].any(axis=1)).tolist():
        different = np.flatnonzero(~equal[row, limit:])
        end = limit + int(different[0]) if len(different) else equal.shape[1]  # of what ties with the last
        tied.append(TiedList(row, order[row, :end], np.flatnonzero(~equal[row, :end])))
    return order[:, :limit].copy(), tied, many


def _candidates(products: np.ndarray, limit: int, slack: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows and columns, row by row, of all that can be among the `limit` nearest of a row, and rows of which these are
    too many, which have none.
    """
    n = products.shape[1]
    step = max(1, CACHED // n)
    starts = range(0, len(products), step)
    at = np.concatenate([reached(products[i : i + step], limit, HEAPS, slack) + i * n for i in starts])
    rows = at // n
    counts = np.bincount(rows, minlength=len(products))
    many = np.flatnonzero(counts > 2 * HEAPS * limit)
    if len(many):
        kept = counts[rows] <= 2 * HEAPS * limit
        at, rows = at[kept], rows[kept]
    return rows, at - rows * n, many


def _ordered(
    products: np.ndarray, rows: np.ndarray, columns: np.ndarray, limit: int, start: int, search: _Search
) -> tuple[np.ndarray, np.ndarray]:
    """(block, m) columns of the candidates of each row, nearest first, and whether one is as near as that before it."""
    counts = np.bincount(rows, minlength=len(products))
    width = int(counts.max(initial=limit))
    slots = np.arange(len(rows)) + np.repeat(np.arange(len(products)) * width - (np.cumsum(counts) - counts), counts)
    values: np.ndarray = np.full(len(products) * width, np.inf, dtype=np.float32)
    order: np.ndarray = np.zeros(len(values), dtype=np.int64)
    order[slots], values[slots] = columns, -products[rows, columns]
    values = values.reshape(-1, width)
    sorting = np.argsort(values, axis=1)
    values, order = (np.take_along_axis(each.reshape(-1, width), sorting, axis=1) for each in (values, order))
    close = np.zeros(values.shape, dtype=bool)
    with np.errstate(invalid="ignore"):
        close[:, 1:] = values[:, 1:] - values[:, :-1] <= np.float32(search.slack)
    unsure = close.copy()
    unsure[:, :-1] |= close[:, 1:]
    at, equal = np.flatnonzero(unsure), np.zeros(values.size, dtype=bool)
    run, found = np.cumsum(~close.ravel()[at]), order.ravel()[at]
    distances = search.exact(start + at // width, found)
    exactly = np.lexsort((found, distances, run))
    order.ravel()[at], distances = found[exactly], distances[exactly]
    equal[at[1:]] = (distances[1:] == distances[:-1]) & (run[1:] == run[:-1])
    return order, equal.reshape(-1, width)

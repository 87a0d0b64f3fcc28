"""How long an index takes to build and to search, on one core.

Times are of the processor, so that what else the machine does at the time counts for little.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kith.indexes.faiss import GraphIndex
from kith.indexes.index import VectorIndex
from kith.indexes.kinds import empty

REPEATS = 3
AT_LEAST, AT_MOST = 3, 200  # queries of a repeat
SECONDS = 0.15  # that a repeat should take


@dataclass(frozen=True)
class Timed:
    """count: vectors in the index. build: seconds; query: milliseconds, by effort, which is None but of a graph."""

    count: int
    build: float
    query: dict[int | None, float]


def timed(
    name: str,
    vectors: np.ndarray,
    queries: np.ndarray,
    sizes: Sequence[int],
    k: int,
    *,
    learn: np.ndarray,
    efforts: Sequence[int] = (),
) -> Iterator[tuple[VectorIndex, Timed]]:
    """The index `name` as it grows: of the first vectors (n, d), as many as each of `sizes`, rising, says.

    queries: (m, d), asked one after the other; of three repeats the fastest counts. learn: what it is fitted to, which
    counts as building. efforts: of a graph. The caller sees to it that one core is used. The index that is given goes
    on growing.
    """
    index = empty(name, vectors.shape[1])
    start = time.process_time()
    index.fit(learn)
    spent = time.process_time() - start
    for size in sizes:
        start = time.process_time()
        index.add(vectors[len(index) : size])
        spent += time.process_time() - start
        asked: dict[int | None, float] = {}
        for effort in efforts_of(index, efforts):
            if isinstance(index, GraphIndex) and effort is not None:
                index.effort = effort
            asked[effort] = 1000 * seconds_a_query(index, queries, k)
        yield index, Timed(len(index), spent, asked)


def efforts_of(index: VectorIndex, efforts: Sequence[int]) -> Sequence[int | None]:
    """Those that are tried: of a graph the `efforts`, if there are some; of others None."""
    return list(efforts) or [None] if isinstance(index, GraphIndex) else [None]


def seconds_a_query(index: VectorIndex, queries: np.ndarray, k: int) -> float:
    """Of single queries (m, d), one after the other: the mean of the fastest of three repeats."""
    index.search(queries[:1], k)  # what is made on first use
    start = time.process_time()
    index.search(queries[:1], k)
    one = max(time.process_time() - start, 1e-6)
    count = int(np.clip(SECONDS / one, AT_LEAST, min(AT_MOST, max(AT_LEAST, len(queries)))))
    asked = [queries[place % len(queries)][None] for place in range(count)]
    best = np.inf
    for _ in range(REPEATS):
        start = time.process_time()
        for each in asked:
            index.search(each, k)
        best = min(best, (time.process_time() - start) / count)
    return best

"""What quality costs: of each index, how good its answers are, what it holds in memory, and how long it takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kith.indexes.faiss import CENTROIDS, GraphIndex, installed
from kith.indexes.growth import growth, memory
from kith.indexes.index import VectorIndex
from kith.indexes.quality import ClassQuestions, PairQuestions, of_classes, of_pairs, recall
from kith.indexes.times import efforts_of, timed

EFFORTS = (16, 64, 256)  # of a graph's searches
AT = (1_000_000, 100_000_000)  # vectors that times and memory are told for
OF_FAISS = ("float16", "int8", "pq", "hnsw")
LEAST, MOST = 4, 48  # parts of product quantisation
ASKED = 200  # queries that are timed, and that the exact answers are compared of


@dataclass(frozen=True)
class CostMaterial:
    """What is measured on. vectors: (n, d) unit rows that are searched; learn: (m, d), of other items, which indexes
    are fitted to; more: (…, d), vectors to grow to, beginning with `vectors`; pairs, classes: questions, where there
    are any."""

    vectors: np.ndarray
    learn: np.ndarray
    more: np.ndarray
    pairs: PairQuestions | None = None
    classes: ClassQuestions | None = None

    @property
    def queries(self) -> np.ndarray:
        """Those that are timed."""
        return (self.vectors if self.pairs is None else self.pairs.queries)[:ASKED]

    @property
    def sizes(self) -> list[int]:
        """Numbers of vectors that are timed: all that are searched, and a quarter, half and all of what there are
        more."""
        most = len(self.more)
        return sorted({len(self.vectors), *(max(1, most // part) for part in (4, 2, 1))})


def usual(dim: int, widths: Sequence[int] = (), *, codes: bool = False, learn: int = CENTROIDS) -> list[str]:
    """Names of the indexes that are compared for vectors of `dim` numbers.

    widths: at which first numbers were trained to be embeddings; without any, a half and a quarter of them. codes:
    whether the vectors are meant as codes, their signs. learn: how many vectors there are to fit indexes to. Those of
    FAISS are among them where it is installed.

    >>> usual(64, codes=True)
    ['float32', 'signs']
    """
    if codes:
        return ["float32", "signs"]
    cut = list(widths) or [width for width in (dim // 4, dim // 2) if width > 1]
    parts = [dim // part for part in (16, 8, 4) if dim % part == 0 and LEAST <= dim // part <= MOST]
    parts = parts if learn >= CENTROIDS else []
    names = ["float32", *(f"float32@{width}" for width in reversed(cut)), "float16", "int8"]
    names += [*(f"pq{each}" for each in reversed(parts)), "signs", "itq", "hnsw"]
    return names if installed() else [name for name in names if not name.startswith(OF_FAISS)]


def measured(name: str, on: CostMaterial, k: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Of an index: its qualities and bytes, one row an effort, which repeat; and its times, one row an effort and a
    number of vectors, which do not.

    k: answers that are looked at. Qualities: index, effort, vectors, bytes, fixed_bytes, mrr, map, class_map, hp (None
    where there is nothing to measure it by), recall. Times: index, effort, vectors, build_s, query_ms, extrapolated.
    """
    qualities: list[dict[str, Any]] = []
    grown: dict[int | None, dict[int, tuple[float, float]]] = {}
    for index, found in timed(name, on.more, on.queries, on.sizes, k, learn=on.learn, efforts=EFFORTS):
        if found.count == len(on.vectors):
            qualities = [_quality(name, index, effort, on, k) for effort in efforts_of(index, EFFORTS)]
        for effort, milliseconds in found.query.items():
            grown.setdefault(effort, {})[found.count] = (found.build, milliseconds)
    graph = isinstance(index, GraphIndex)
    times = [row for effort, sizes in grown.items() for row in _times(name, effort, sizes, graph)]
    return qualities, times


def _quality(name: str, index: VectorIndex, effort: int | None, on: CostMaterial, k: int) -> dict[str, Any]:
    if isinstance(index, GraphIndex) and effort is not None:
        index.effort = effort
    row: dict[str, Any] = {"index": name, "effort": effort, "vectors": len(index)}
    row |= {"bytes": index.bytes_an_item, "fixed_bytes": index.fixed_bytes}
    row |= dict.fromkeys(("mrr", "map", "class_map", "hp"))
    if on.pairs is not None:
        row |= {key: float(values.mean()) for key, values in of_pairs(index, on.pairs, k).items()}
    if on.classes is not None:
        row |= {key: float(values.mean()) for key, values in of_classes(index, on.vectors, on.classes, k).items()}
    return row | {"recall": recall(index.search(on.queries, k)[0], _exact(on, k))}


def _exact(on: CostMaterial, k: int) -> np.ndarray:
    from kith.indexes.kinds import build

    return build("float32", on.vectors).search(on.queries, k)[0]


def _times(name: str, effort: int | None, sizes: dict[int, tuple[float, float]], graph: bool) -> list[dict[str, Any]]:
    """What was measured, and what the growth over the three largest sizes makes of it."""
    told = {"index": name, "effort": effort}
    rows = [
        {**told, "vectors": size, "build_s": build, "query_ms": query, "extrapolated": False}
        for size, (build, query) in sizes.items()
    ]
    largest = sorted(sizes)[-3:]
    if len(largest) < 2:
        return rows
    built, asked = ({size: sizes[size][which] for size in largest} for which in (0, 1))
    builds, queries = growth(built, "n log n" if graph else "n"), growth(asked, "log n" if graph else "n")
    for size in AT:
        if size not in sizes:
            row = {**told, "vectors": size, "build_s": builds.at(size), "query_ms": queries.at(size)}
            rows.append({**row, "extrapolated": True})
    return rows


def gigabytes(row: dict[str, Any], count: int) -> float:
    """What an index of `count` vectors holds, in 10⁹ bytes; row: of `measured`, with its bytes.

    >>> gigabytes({"bytes": 256, "fixed_bytes": 0}, 1_000_000)
    0.256
    """
    return memory(row["bytes"], row["fixed_bytes"], count) / 1e9

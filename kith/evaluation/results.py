"""What is measured of one split, before it is averaged: values of each query, so that these can be resampled."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

DECIMALS = 6  # beyond them, the order of additions shows
HITS = 5  # best candidates kept of each query
FIRST = ["before", "tied_right", "tied_wrong"]  # what stands before and with a query's first right answer


class SearchResult(NamedTuple):
    """One side of a gallery searched with another by n queries.

    values: metric → (n,) float64, NaN where it does not apply to a query; groups: (n,) int64 group ids of the queries;
    chance: metric → its level by chance; hits: "hits@<k>" → how many queries; candidates: how many there are; table:
    the queries' rows of queries.parquet, without split, group and codes.
    """

    values: dict[str, np.ndarray]
    groups: np.ndarray
    chance: dict[str, float]
    hits: dict[str, int]
    candidates: int
    table: pd.DataFrame


@dataclass(frozen=True)
class QueryMetrics:
    """Metrics of n queries or items, by their full names "<group>/<key>".

    values: (n,) float64 each, NaN where it does not apply; groups: (n,) int64 group ids; chance: levels by chance;
    together: what all of them give at once and has no interval; by_radius: "precision" and "recall" of codes at each
    Hamming radius, None where nothing is.
    """

    values: dict[str, np.ndarray]
    groups: np.ndarray
    chance: dict[str, float] = field(default_factory=dict)
    together: dict[str, float] = field(default_factory=dict)
    by_radius: dict[str, list[float | None]] = field(default_factory=dict)

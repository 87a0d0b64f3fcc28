"""Class labels, and matrices of how similar classes are, as users give them: checked, as arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kith.errors import KithError
from kith.similarity import as_array


def class_labels(name: str, labels: Any, n_classes: int | None = None) -> np.ndarray:
    """(n,) int64. Raises KithError that calls them `name` where they are no integers from 0 to n_classes − 1."""
    labels = as_array(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise KithError(f"{name}: expected (n,) integers, not {labels.dtype} of the shape {labels.shape}")
    bad = np.flatnonzero((labels < 0) | (labels >= (np.inf if n_classes is None else n_classes)))
    if len(bad):
        there = "negative: leave it out" if n_classes is None else f"not among the {n_classes} classes, 0 and up"
        raise KithError(f"{name}: row {bad[0]} is {labels[bad[0]]}, {there} ({len(bad)} such rows)")
    return labels.astype(np.int64)


def similarity_tables(similarity: Any) -> dict[str, np.ndarray]:
    """One (n_classes, n_classes) matrix {"": matrix}, or several, {"_name": matrix}; float64, finite, from 0 up.

    Raises KithError that names the matrix and, where it has one, the row and column that is wrong.
    """
    named = {f"_{k}": v for k, v in similarity.items()} if isinstance(similarity, Mapping) else {"": similarity}
    tables = {name: np.ascontiguousarray(as_array(table), dtype=np.float64) for name, table in named.items()}
    if not tables:
        raise KithError("similarity: there is no matrix")
    shape = next(iter(tables.values())).shape
    for name, table in tables.items():
        title = f"similarity {name[1:]}".strip()
        if table.ndim != 2 or len(set(table.shape)) > 1 or table.shape != shape:
            raise KithError(f"{title}: expected (n_classes, n_classes), not the shape {table.shape}")
        bad = np.argwhere(~((table >= 0) & (table < np.inf)))
        if len(bad):
            raise KithError(f"{title}: row {bad[0][0]}, column {bad[0][1]} is not a finite number from 0 up")
    return tables

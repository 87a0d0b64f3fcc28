"""How near is a text to its own picture? Cosine distances of matched pairs (Dorfer et al., IJMIR 2018)."""

from typing import Any

import numpy as np

from kith.errors import KithError
from kith.similarity import as_matrix, unit_rows


def pair_distances(first: Any, second: Any) -> np.ndarray:
    """1 − cos of row i of `first` and row i of `second`, in [0, 2].

    first, second: (n, d) arrays or torch tensors of any lengths; a zero row is at distance 1 from everything.
    Computed in float64 whatever the precision given. Returns (n,) float64. Raises KithError for different
    shapes and for a row that is not finite.
    """
    first, second = as_matrix(first, "first"), as_matrix(second, "second")
    if first.shape != second.shape:
        raise KithError(f"pairs need a row each: the first has the shape {first.shape}, the second {second.shape}")
    a, b = unit_rows(first.astype(np.float64), "first"), unit_rows(second.astype(np.float64), "second")
    return 1 - np.einsum("ij,ij->i", a, b).clip(-1, 1)


def distance_summary(distances: np.ndarray) -> dict[str, float]:
    """ "mean_distance", "median_distance", "min_distance" and "max_distance" of distances (n,), n ≥ 1."""
    if not len(distances):
        raise KithError("distances: there are none")
    return {
        "mean_distance": float(np.mean(distances)),
        "median_distance": float(np.median(distances)),
        "min_distance": float(np.min(distances)),
        "max_distance": float(np.max(distances)),
    }

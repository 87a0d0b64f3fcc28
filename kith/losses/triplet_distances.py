"""Distances within triplets, with gradients, by the cheaper of two ways."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from kith.mining.distances import Distance, paired, pairwise

FEW = 100  # a triplet's own distances cost about as much as so many by a matrix product


def triplet_distances(
    embeddings: Tensor, triplets: Sequence[Any], distance: Distance, pool: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """(T,) d(a, p) and d(a, n).

    embeddings: (B, d); triplets: three (T,) tensors of rows, the first of `embeddings`, the others of `pool`, by
    default the same.

    >>> import torch
    >>> triplets = torch.tensor([0]), torch.tensor([1]), torch.tensor([2])
    >>> triplet_distances(torch.tensor([[0.0], [1.0], [3.0]]), triplets, "euclidean")
    (tensor([1.]), tensor([3.]))
    """
    anchor, positive, negative = triplets[:3]
    pool = embeddings if pool is None else pool
    if FEW * len(anchor) < len(embeddings) * len(pool):
        rows = embeddings.index_select(0, anchor)
        near, far = pool.index_select(0, positive), pool.index_select(0, negative)
        return paired(rows, near, distance), paired(rows, far, distance)
    apart, first = pairwise(embeddings, pool, distance).flatten(), anchor * len(pool)
    return apart.index_select(0, first + positive), apart.index_select(0, first + negative)


def softplus(values: Tensor) -> Tensor:
    """log(1 + eˣ) to the last digit; torch's own is x above 20.

    >>> import torch
    >>> round(float(softplus(torch.tensor(0.0))), 4)
    0.6931
    """
    return -F.logsigmoid(-values)

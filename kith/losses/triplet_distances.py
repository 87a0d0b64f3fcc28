"""Distances within triplets, with gradients."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kith.mining.distances import Distance, of_given


def triplet_distances(
    embeddings: Tensor, triplets: Sequence[Any], distance: Distance, pool: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """(T,) d(a, p) and d(a, n).

    embeddings: (B, d); triplets: three (T,) tensors of rows, the first of `embeddings`, the others of `pool`, by
    default the same.

    >>> triplets = torch.tensor([0]), torch.tensor([1]), torch.tensor([2])
    >>> triplet_distances(torch.tensor([[0.0], [1.0], [3.0]]), triplets, "euclidean")
    (tensor([1.]), tensor([3.]))
    """
    anchor, positive, negative = triplets[:3]
    both = of_given(embeddings, pool, torch.cat([anchor, anchor]), torch.cat([positive, negative]), distance)
    return both[: len(anchor)], both[len(anchor) :]


def softplus(values: Tensor) -> Tensor:
    """log(1 + eˣ) to the last digit; torch's own is x above 20.

    >>> round(float(softplus(torch.tensor(0.0))), 4)
    0.6931
    """
    return -F.logsigmoid(-values)

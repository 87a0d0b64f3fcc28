"""What belongs together: rows of one class, or, of items with several labels, rows that share one."""

from torch import Tensor


def alike(labels: Tensor, pool: Tensor | None = None) -> Tensor:
    """(B, N) bool: whether two rows are of one class; labels (B,) and pool (N,), by default the same: integers.

    Of items with several labels, (B, C) and (N, C) of 0 and 1, at least one 1 a row: whether they share a label.

    >>> import torch
    >>> alike(torch.tensor([0, 1]), torch.tensor([1, 1])).tolist()
    [[False, False], [True, True]]
    >>> alike(torch.tensor([[1, 1, 0], [0, 1, 1], [0, 0, 1]])).tolist()
    [[True, True, False], [True, True, True], [False, True, True]]
    """
    pool = labels if pool is None else pool
    if labels.ndim == 1:
        return labels[:, None] == pool
    return labels.float() @ pool.float().T > 0

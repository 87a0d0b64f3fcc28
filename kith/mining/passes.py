"""Passes over large tables. On a processor NumPy's comparisons, minima and copies by a mask take a tenth of the time of
torch's, to the same bytes; elsewhere torch does them."""

import numpy as np
import torch
from torch import Tensor


def by_numpy(table: Tensor) -> bool:
    """Whether it is on a processor, and no compiler is looking: copies by a mask, as NumPy's, are not known to it.

    >>> by_numpy(torch.zeros(1))
    True
    """
    return table.is_cpu and not torch.compiler.is_compiling()


def below(table: Tensor, limit: float) -> Tensor:
    """Bool, true where a table of floats is below the limit, or is no number.

    >>> below(torch.tensor([1.0, 2.0, float("nan")]), 2.0).tolist()
    [True, False, True]
    """
    return torch.from_numpy(~(table.numpy() >= limit)) if by_numpy(table) else ~(table >= limit)


def put(table: Tensor, where: Tensor, value: Tensor | float) -> Tensor:
    """The table with `value`, a number or a tensor of its shape, where the bool is true; it may be the same, changed.

    >>> put(torch.zeros(2), torch.tensor([True, False]), 3.0).tolist()
    [3.0, 0.0]
    """
    if not by_numpy(table):
        return torch.where(where, value, table)
    np.copyto(table.numpy(), value.numpy() if isinstance(value, Tensor) else value, where=where.numpy())
    return table


def count(table: Tensor) -> Tensor | int:
    """How often a bool table is true: on a processor a number, elsewhere a tensor, for which nobody waits.

    >>> count(torch.tensor([True, False]))
    1
    """
    return int(np.count_nonzero(table.numpy())) if by_numpy(table) else table.sum()


def places(table: Tensor) -> tuple[Tensor, ...]:
    """(T,) int64, where a bool table on a processor is true: places counted row by row, their rows, and their columns.

    >>> places(torch.tensor([[False, True], [True, False]]))
    (tensor([1, 2]), tensor([0, 1]), tensor([1, 0]))
    """
    place = np.flatnonzero(table.numpy())
    return tuple(torch.from_numpy(each) for each in (place, *np.divmod(place, table.shape[1])))


def least(table: Tensor) -> tuple[Tensor, Tensor]:
    """(n,) the lowest of each row of an (n, m) table, and its column, the first of equals on a processor.

    >>> least(torch.tensor([[2.0, 1.0, 1.0]]))
    (tensor([1.]), tensor([1]))
    """
    column = torch.from_numpy(table.numpy().argmin(axis=1)) if by_numpy(table) else table.argmin(dim=1)
    return table.gather(1, column[:, None])[:, 0], column


def most(table: Tensor) -> tuple[Tensor, Tensor]:
    """As `least`, the highest.

    >>> most(torch.tensor([[2.0, 1.0, 2.0]]))
    (tensor([2.]), tensor([0]))
    """
    column = torch.from_numpy(table.numpy().argmax(axis=1)) if by_numpy(table) else table.argmax(dim=1)
    return table.gather(1, column[:, None])[:, 0], column

"""What all losses of rows have in common: half precision, and a batch without rows."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

from torch import Tensor

from kith.mining.given import in_full, uncast

Given = ParamSpec("Given")


def of_rows(loss: Callable[Given, Tensor]) -> Callable[Given, Tensor]:
    """A loss whose first argument has a row an item: half precision is computed in float32, where sums and squares
    have room, under autocast too, and a batch without rows is worth 0, with a gradient.

    >>> import torch
    >>> @of_rows
    ... def mean(rows: Tensor) -> Tensor:
    ...     return rows.mean()
    >>> float(mean(torch.zeros(0, 2))), mean(torch.zeros(1, 2, dtype=torch.float16)).dtype
    (0.0, torch.float32)
    """

    @functools.wraps(loss)
    def measured(*args: Given.args, **kwargs: Given.kwargs) -> Tensor:
        given: list[Any] = [*map(in_full, args)]
        named: dict[str, Any] = {name: in_full(value) for name, value in kwargs.items()}
        rows = given[0] if given else next(iter(named.values()))
        with uncast(rows):
            return loss(*given, **named) if len(rows) else rows.sum()

    return measured

"""What mining is given: rows of numbers, and a label of each."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

HALF = (torch.float16, torch.bfloat16)


def check_rows(embeddings: Tensor, labels: Tensor, name: str = "embeddings") -> None:
    """Raise ValueError unless there is a label for every row, and every row is finite.

    Comparisons with NaN are false: no row would violate anything, and the loss would be 0.

    >>> check_rows(torch.tensor([[0.0]]), torch.tensor([0, 1]))
    Traceback (most recent call last):
    ...
    ValueError: 1 rows of embeddings, but 2 labels
    """
    check_labels(embeddings, labels, name)
    # One sum tells, for less than a look at every number; one that is too large has nothing bad below.
    if embeddings.sum().isfinite():
        return
    bad = (~embeddings.isfinite().all(dim=1)).nonzero()
    if len(bad):
        raise ValueError(f"{name}: row {int(bad[0])} is not finite ({len(bad)} such rows)")


def check_labels(embeddings: Tensor, labels: Tensor, name: str = "embeddings") -> None:
    """Raise ValueError unless there is a label for every row. One label alone would be compared as that of all rows.

    >>> check_labels(torch.tensor([[0.0], [1.0]]), torch.tensor([0]))
    Traceback (most recent call last):
    ...
    ValueError: 2 rows of embeddings, but 1 labels
    """
    if embeddings.ndim != 2 or labels.ndim not in (1, 2) or len(embeddings) != len(labels):
        raise ValueError(f"{len(embeddings)} rows of {name}, but {len(labels)} labels")


def in_full(value: Any) -> Any:
    """A tensor of half precision as float32; anything else as it is.

    >>> in_full(torch.zeros(1, dtype=torch.bfloat16)).dtype, in_full(3)
    (torch.float32, 3)
    """
    return value.float() if isinstance(value, Tensor) and value.dtype in HALF else value


def uncast(rows: Tensor) -> AbstractContextManager[Any]:
    """Within it products on the device of the rows are in their own precision: autocast would round them to half.

    >>> with torch.autocast("cpu", torch.bfloat16), uncast(torch.eye(2)):
    ...     (torch.eye(2) @ torch.eye(2)).dtype
    torch.float32
    """
    kind = rows.device.type
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        return torch.autocast(kind, enabled=False)
    return nullcontext()

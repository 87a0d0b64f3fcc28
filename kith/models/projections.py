"""What follows both towers where nothing is fitted to the data: rows of length 1, with a head before it or without."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UnitLayer(nn.Module):
    """No projection: rows are only brought to length 1. Has the interface of the layers of kith.cca.

    >>> UnitLayer().first(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """

    correlations = None

    def stored(self) -> "UnitLayer":
        return self

    def project(self, first: Tensor, second: Tensor) -> "UnitLayer":
        return self

    def first(self, rows: Tensor) -> Tensor:
        return F.normalize(rows)

    second = first


class HeadLayer(UnitLayer):
    """The head of the image tower, and no other projection: so a classifier can look at what comes before it.

    >>> HeadLayer(nn.Identity()).first(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """

    def __init__(self, head: nn.Module):
        super().__init__()
        self.head = head

    def headed(self, rows: Tensor) -> Tensor:
        return full(self.head(rows))

    def first(self, rows: Tensor) -> Tensor:
        return F.normalize(self.headed(rows))


def full(rows: Tensor) -> Tensor:
    """Half precision, as under autocast, to float32; a model in float64 stays there.

    >>> full(torch.zeros(1, dtype=torch.float16)).dtype
    torch.float32
    """
    return rows.float() if rows.dtype in (torch.float16, torch.bfloat16) else rows

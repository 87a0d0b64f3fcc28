"""The objective of deep canonical correlation analysis (Andrew et al., ICML 2013)."""

import torch.nn.functional as F
from torch import Tensor

from kith.losses.batch import Batch, TrainingStep
from kith.losses.loss import Loss, LossOptions


def trace_norm(correlations: Tensor) -> Tensor:
    """−mean of the canonical correlations (d,): deep CCA's objective (Andrew et al., ICML 2013), by dimension.

    >>> import torch
    >>> float(trace_norm(torch.tensor([1.0, 0.5])))
    -0.75
    """
    return -correlations.mean()


def column_correlations(first: Tensor, second: Tensor) -> Tensor:
    """(d,) Pearson correlations of the paired columns of two (n, d) matrices; 0 for a constant column.

    >>> import torch
    >>> column_correlations(torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0], [2.0]])).round(decimals=4).tolist()
    [-1.0]
    """
    first, second = (F.normalize(rows - rows.mean(dim=0), dim=0) for rows in (first, second))
    return (first * second).sum(dim=0)


class TraceNormLoss(Loss, name="trace_norm"):
    """Minus the mean canonical correlation of the batch; needs `train.projection.kind: cca`."""

    options: LossOptions

    def forward(self, batch: Batch, step: TrainingStep) -> Tensor:
        if batch.correlations is not None:
            return trace_norm(batch.correlations)
        # Outside training the layer looks at no batch: held-out correlations of its columns.
        return trace_norm(column_correlations(batch.image, batch.text))

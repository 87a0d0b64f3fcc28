"""Greedy hash: a classifier on the signs themselves, whose gradient passes through (Su et al., NeurIPS 2018)."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kith.constraints import NonNegative
from kith.losses.batch import LossValue, TrainingStep
from kith.losses.loss import LossOptions
from kith.losses.metric_loss import MetricLoss
from kith.losses.rows import of_rows


def signs(outputs: Tensor) -> Tensor:
    """Their signs, 0 counting as 1, with the gradient of the outputs (Su et al., NeurIPS 2018, eq. 7).

    >>> rows = torch.tensor([-0.5, 0.0, 3.0], requires_grad=True)
    >>> signs(rows).tolist(), torch.autograd.grad(signs(rows).sum(), rows)[0].tolist()
    ([-1.0, 1.0, 1.0], [1.0, 1.0, 1.0])
    """
    hard = torch.where(outputs >= 0, 1.0, -1.0).to(outputs.dtype)
    return outputs + (hard - outputs).detach()


@of_rows
def greedy_hash(outputs: Tensor, labels: Tensor, weights: Tensor, quantization: float = 0.1) -> Tensor:
    """Cross-entropy of the classes given `signs` of the outputs, and λ times the mean over all bits of |z − sign z|³.

    Su, Zhang, Han & Tian, "Greedy Hash: Towards Fast Optimization for Accurate Hash Coding in CNN", NeurIPS 2018,
    eq. 8 with p = 3.

    outputs: (B, bits) z; labels: (B,) class numbers; weights: (C, bits) of a linear classifier, learned.

    >>> round(float(greedy_hash(torch.tensor([[2.0]]), torch.tensor([0]), torch.zeros(2, 1), 0.5)), 4)  # log 2 + ½
    1.1931
    """
    codes = signs(outputs)
    errors = (outputs - codes.detach()).abs() ** 3
    return F.cross_entropy(codes @ weights.T, labels) + quantization * errors.mean()


@dataclass(frozen=True, kw_only=True)
class GreedyHashOptions(LossOptions):
    """quantization: weight of the cubed distance to signs."""

    quantization: NonNegative = 0.1


class GreedyHashLoss(MetricLoss, name="greedy_hash"):
    """Cross-entropy of a classifier that sees the signs alone, and the distance to these signs."""

    options: GreedyHashOptions

    def __init__(self, options: Any, dim: int = 0, classes: int = 0):
        super().__init__(options, dim, classes)
        self.output = nn.Linear(dim, classes, bias=False)

    def of_rows(self, rows: Tensor, label: Tensor, step: TrainingStep) -> LossValue:
        return greedy_hash(rows, label, self.output.weight, self.options.quantization)

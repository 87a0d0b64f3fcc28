"""Deep hashing networks: likelihood of pairs, and a smooth distance of outputs to signs (Zhu et al., AAAI 2016)."""

import math
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from kith.constraints import AboveZero, NonNegative
from kith.losses.batch import LossValue, TrainingStep
from kith.losses.code_pairs import negative_likelihood
from kith.losses.loss import LossOptions
from kith.losses.metric_loss import PairLoss
from kith.losses.rows import of_rows


@of_rows
def dhn(outputs: Tensor, labels: Tensor, quantization: float = 0.1, alpha: float = 0.5) -> Tensor:
    """Mean over pairs of log(1 + e^θ) − s·θ, θ = αuᵀu′, and λ times the mean over outputs and bits of log cosh(|u|−1).

    The paper (Zhu, Long, Wang & Cao, "Deep Hashing Network for Efficient Similarity Retrieval", AAAI 2016) sums both;
    means make λ independent of the number of rows and bits. s is 1 for two rows of one class, else 0. α is ½ by
    default, as in the TensorFlow program of the authors' group.

    outputs: (B, bits) u; labels: (B,) class numbers, or (B, C) sets.

    >>> import torch
    >>> round(float(dhn(torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1]))), 4)  # log(1 + e^−½)
    0.4741
    """
    return negative_likelihood(outputs, labels, alpha) + quantization * _log_cosh(outputs.abs() - 1).mean()


def _log_cosh(values: Tensor) -> Tensor:
    """Overflows nowhere."""
    return values.abs() + F.softplus(-2 * values.abs()) - math.log(2)


@dataclass(frozen=True, kw_only=True)
class DhnOptions(LossOptions):
    """quantization: weight of the smooth distance to the nearest sign, a bit; alpha: what inner products are multiplied
    by, ½ by default."""

    quantization: NonNegative = 0.1
    alpha: AboveZero | None = None


class DhnLoss(PairLoss, name="dhn"):
    """Likelihood of pairs of outputs whose signs are the code, and a smooth distance to these signs."""

    options: DhnOptions

    def of_rows(self, rows: Tensor, label: Tensor, step: TrainingStep) -> LossValue:
        alpha = 0.5 if self.options.alpha is None else self.options.alpha
        return dhn(rows, label, self.options.quantization, alpha)

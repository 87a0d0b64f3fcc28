"""Deep pairwise supervised hashing: inner products of codes tell what is alike (Li et al., IJCAI 2016)."""

from dataclasses import dataclass

from torch import Tensor

from kith.constraints import NonNegative
from kith.losses.batch import LossValue, TrainingStep
from kith.losses.code_pairs import negative_likelihood
from kith.losses.dtsh import quantization_errors
from kith.losses.loss import LossOptions
from kith.losses.metric_loss import PairLoss
from kith.losses.rows import of_rows


@of_rows
def dpsh(outputs: Tensor, labels: Tensor, quantization: float = 0.1) -> Tensor:
    """Mean over pairs of log(1 + e^θ) − s·θ, θ = ½uᵀu′, and λ times the mean over outputs and bits of (u − sign u)².

    The paper (Li, Wang & Kang, "Feature Learning Based Deep Supervised Hashing with Pairwise Labels", IJCAI 2016,
    eq. 3 and 4) sums both; means make λ independent of the number of rows and bits. s is 1 for two rows of one class,
    else 0.

    outputs: (B, bits); labels: (B,) class numbers, or (B, C) sets. Returns a scalar; a row alone has no pairs.

    >>> import torch
    >>> round(float(dpsh(torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1]))), 4)  # log(1 + e^−½)
    0.4741
    """
    likelihood = negative_likelihood(outputs, labels)
    return likelihood + quantization * quantization_errors(outputs).mean() / outputs.shape[1]


@dataclass(frozen=True, kw_only=True)
class DpshOptions(LossOptions):
    """quantization: weight of the squared distance to the signs, a bit."""

    quantization: NonNegative = 0.1


class DpshLoss(PairLoss, name="dpsh"):
    """Likelihood of pairs of outputs whose signs are the code, and the distance to these signs."""

    options: DpshOptions

    def of_rows(self, rows: Tensor, label: Tensor, step: TrainingStep) -> LossValue:
        return dpsh(rows, label, self.options.quantization)

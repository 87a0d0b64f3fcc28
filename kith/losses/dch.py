"""Deep Cauchy hashing: pairs of one class within a small Hamming radius (Cao et al., CVPR 2018)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from kith.constraints import AboveZero, NonNegative
from kith.losses.batch import LossValue, TrainingStep
from kith.losses.code_pairs import balanced_weights, same_class
from kith.losses.loss import LossOptions
from kith.losses.metric_loss import PairLoss
from kith.losses.rows import of_rows

NEAREST = 1e-6  # two outputs of two classes that coincide are so far apart


@of_rows
def dch(outputs: Tensor, labels: Tensor, gamma: float = 20.0, quantization: float = 0.1) -> Tensor:
    """Mean over pairs of w·(s·log(d/γ) + log(1 + γ/d)), and λ times the mean of log(1 + d(|z|, 1)/γ).

    d = ½K(1 − cos) stands for the Hamming distance of K bits; w makes pairs of one class and pairs of two weigh the
    same, see `balanced_weights`; s is 1 for two rows of one class, else 0. Cao, Long, Liu & Wang, "Deep Cauchy
    Hashing for Hamming Space Retrieval", CVPR 2018, eq. 5 to 7.

    outputs: (B, bits) z; labels: (B,) class numbers, or (B, C) sets; gamma: the Hamming radius in which answers
    should lie.

    >>> rows = torch.tensor([[1.0, 1.0], [1.0, -1.0]])  # d = 1
    >>> round(float(dch(rows, torch.tensor([0, 1]), gamma=1.0)), 4)  # log(1 + 1)
    0.6931
    """
    alike, pairs = same_class(labels)
    bits = outputs.shape[1]
    unit = F.normalize(outputs)
    apart = (bits / 2 * (1 - unit @ unit.T)).clamp(min=NEAREST)
    # log(d/γ) + log(1 + γ/d) is log(1 + d/γ), which is not the difference of two large numbers.
    likelihood = torch.where(alike, (apart / gamma).log1p(), (gamma / apart).log1p())
    ones = torch.ones_like(outputs[:1])
    errors = (bits / 2 * (1 - F.cosine_similarity(outputs.abs(), ones)).clamp(min=0) / gamma).log1p()
    weights = balanced_weights(alike, pairs)
    return (weights * likelihood).sum() / pairs.sum().clamp(min=1) + quantization * errors.mean()


@dataclass(frozen=True, kw_only=True)
class DchOptions(LossOptions):
    """gamma: the Hamming radius in which answers should lie; quantization: weight of the distance to signs."""

    gamma: AboveZero = 20.0
    quantization: NonNegative = 0.1


class DchLoss(PairLoss, name="dch"):
    """Cauchy likelihood of pairs by their Hamming distance, strict within a radius, and the distance to signs."""

    options: DchOptions

    def of_rows(self, rows: Tensor, label: Tensor, step: TrainingStep) -> LossValue:
        return dch(rows, label, self.options.gamma, self.options.quantization)

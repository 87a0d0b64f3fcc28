"""Deep supervised hashing: pairs of one class are near, pairs of two far, and outputs near to signs (Liu et al., CVPR
2016)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kith.constraints import AboveZero, NonNegative
from kith.losses.batch import LossValue, TrainingStep
from kith.losses.code_pairs import same_class
from kith.losses.loss import LossOptions
from kith.losses.metric_loss import PairLoss
from kith.losses.rows import of_rows
from kith.mining.distances import pairwise


@of_rows
def dsh(outputs: Tensor, labels: Tensor, margin: float | None = None, quantization: float = 0.01) -> Tensor:
    """Mean over pairs of ½s·d² + ½(1 − s)·[m − d²]₊, and 2λ times the mean over outputs of Σ over bits of ||u| − 1|.

    The paper (Liu, Wang, Shan & Chen, "Deep Supervised Hashing for Fast Image Retrieval", CVPR 2016, eq. 4) sums over
    pairs, each with the λ of both of its outputs. d² is the squared Euclidean distance; s is 1 for two rows of one
    class, else 0.

    outputs: (B, bits) u; labels: (B,) class numbers, or (B, C) sets; margin: m, twice the number of bits by
    default, as in the paper.

    >>> rows = torch.tensor([[1.0, 1.0], [1.0, -1.0]])  # d² = 4, m = 4
    >>> float(dsh(rows, torch.tensor([0, 0]))), float(dsh(rows, torch.tensor([0, 1])))
    (2.0, 0.0)
    """
    alike, pairs = same_class(labels)
    squared = pairwise(outputs)
    apart = ((2 * outputs.shape[1] if margin is None else margin) - squared).clamp(min=0)
    errors = (outputs.abs() - 1).abs().sum(dim=1).mean()
    values = torch.where(alike, squared, apart) * pairs / 2
    return values.sum() / pairs.sum().clamp(min=1) + 2 * quantization * errors


@dataclass(frozen=True, kw_only=True)
class DshOptions(LossOptions):
    """margin: of the squared distance of two classes, by default twice the number of bits; quantization: weight of the
    distance to the nearest sign, of both outputs of a pair."""

    margin: AboveZero | None = None
    quantization: NonNegative = 0.01


class DshLoss(PairLoss, name="dsh"):
    """Squared distance of outputs of one class; of two classes, what lacks to the margin; and the distance to signs."""

    options: DshOptions

    def of_rows(self, rows: Tensor, label: Tensor, step: TrainingStep) -> LossValue:
        return dsh(rows, label, self.options.margin, self.options.quantization)

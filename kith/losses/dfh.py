"""Deep Fisher hashing: likelihood of pairs with a margin, and binary centres of the classes (Li et al., BMVC 2019)."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kith.constraints import NonNegative
from kith.losses.batch import LossValue, TrainingStep
from kith.losses.code_pairs import same_class
from kith.losses.loss import LossOptions
from kith.losses.metric_loss import MetricLoss
from kith.losses.rows import of_rows


@of_rows
def dfh(
    outputs: Tensor,
    labels: Tensor,
    centers: Tensor,
    margin: float = 3.0,
    quantization: float = 0.5,
    pull: float = 0.1,
) -> Tensor:
    """Mean over pairs of log(1 + e^{m ∓ θ}), θ = ½uᵀu′, minus for two rows of one class, + η times the mean over bits
    of (b − u)², b = sign(u + pull·sign v_y), and the terms of the centres v (`center_terms`), all by gradient.

    Li, Pei, Zha & van Gemert, "Push for Quantization: Deep Fisher Hashing", BMVC 2019. Their program finds the centres
    anew for each batch in 200 steps of their own; here they learn with the network.

    outputs: (B, bits) u; labels: (B,) class numbers; centers: v, (classes, bits), learned.

    >>> found = dfh(torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1]), torch.tensor([[1.0], [-1.0]]), margin=0.0)
    >>> round(float(found), 4)  # log(1 + e^−½)
    0.4741
    """
    alike, pairs = same_class(labels)
    theta = outputs @ outputs.T / 2
    apart = F.softplus(margin + torch.where(alike, -theta, theta))
    likelihood = (apart * pairs).sum() / pairs.sum().clamp(min=1)
    codes = torch.where(outputs.detach() + pull * centers.detach().sign()[labels] >= 0, 1.0, -1.0).to(outputs.dtype)
    errors = (codes - outputs).square().mean()
    return likelihood + quantization * errors + center_terms(centers, codes, labels)


def center_terms(centers: Tensor, codes: Tensor, labels: Tensor) -> Tensor:
    """Mean over bits of (b − v_y)², + the mean over pairs of classes of (vᵀv′ ∓ K)², K being the bits, minus where both
    are one class, + the mean of (v − sign v)²: near their pictures, far from each other, near to signs.

    >>> float(center_terms(torch.tensor([[1.0], [-1.0]]), torch.tensor([[1.0]]), torch.tensor([0])))
    0.0
    """
    classes, bits = centers.shape
    wanted = bits * (2 * torch.eye(classes, dtype=centers.dtype, device=centers.device) - 1)
    within = (codes - centers[labels]).square().mean()
    between = (centers @ centers.T - wanted).square().mean()
    return within + between + (centers - centers.detach().sign()).square().mean()


@dataclass(frozen=True, kw_only=True)
class DfhOptions(LossOptions):
    """margin: m, by which pairs have to be told apart; quantization: η, weight of the distance to the codes; pull: how
    much a class's centre counts in the codes of its pictures."""

    margin: NonNegative = 3.0
    quantization: NonNegative = 0.5
    pull: NonNegative = 0.1


class DfhLoss(MetricLoss, name="dfh"):
    """Likelihood of pairs with a margin, and the distance to codes that are drawn to learned centres of the classes."""

    options: DfhOptions

    def __init__(self, options: Any, dim: int = 0, classes: int = 0):
        super().__init__(options, dim, classes)
        self.centers = nn.Parameter(torch.zeros(classes, dim))

    def of_rows(self, rows: Tensor, label: Tensor, step: TrainingStep) -> LossValue:
        return dfh(rows, label, self.centers, self.options.margin, self.options.quantization, self.options.pull)

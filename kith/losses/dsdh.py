"""Deep supervised discrete hashing: codes that a linear classifier can tell apart (Li et al., NIPS 2017)."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kith.constraints import AboveZero, NonNegative, Positive
from kith.losses.batch import LossValue, TrainingStep
from kith.losses.code_pairs import negative_likelihood
from kith.losses.loss import LossOptions
from kith.losses.metric_loss import MetricLoss
from kith.losses.rows import of_rows


@torch.no_grad()
def discrete_codes(
    outputs: Tensor, labels: Tensor, weights: Tensor, quantization: float, classification: float, rounds: int = 1
) -> Tensor:
    """Codes b of ±1 for outputs (B, bits) that lower μ|y − Wᵀb|² + η|b − u|² bit by bit, the others being fixed:
    discrete cyclic coordinate descent, as in Li et al., NIPS 2017, from the signs of the outputs.

    labels: (B,) class numbers; weights: W, (bits, classes); quantization: η; classification: μ; rounds: over all bits.

    >>> weights = torch.tensor([[1.0, -1.0]])  # one bit, two classes
    >>> discrete_codes(torch.tensor([[0.1], [0.1]]), torch.tensor([0, 1]), weights, 1.0, 1.0).tolist()
    [[1.0], [-1.0]]
    """
    codes = torch.where(outputs >= 0, 1.0, -1.0).to(outputs.dtype)
    wanted = weights.T[labels] + quantization / classification * outputs
    products = weights @ weights.T
    for bit in [*range(outputs.shape[1])] * rounds:
        others = products[bit].clone()
        others[bit] = 0
        codes[:, bit] = torch.where(wanted[:, bit] - codes @ others >= 0, 1.0, -1.0).to(codes.dtype)
    return codes


@of_rows
def dsdh(
    outputs: Tensor,
    labels: Tensor,
    weights: Tensor,
    quantization: float = 0.1,
    classification: float = 1.0,
    decay: float = 0.1,
    rounds: int = 1,
) -> Tensor:
    """Mean over pairs of log(1 + e^θ) − s·θ, θ = ½uᵀu′, + η times the mean over bits of (b − u)², + μ times the mean
    over classes of (y − Wᵀb)², + ν times the mean of W² (Li, Sun, He & Tan, "Deep Supervised Discrete Hashing", NIPS
    2017), b being `discrete_codes`.

    The paper sums, and alternates over the whole training set: b, W in closed form, and the network. Here b are the
    codes of the batch, and W learns by gradient with the network. s is 1 for two rows of one class, else 0; y is
    one-hot.

    outputs: (B, bits) u; labels: (B,) class numbers; weights: W, (bits, classes), learned.

    >>> round(float(dsdh(torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1]), torch.zeros(1, 2))), 4)  # .4741 + ½
    0.9741
    """
    codes = discrete_codes(outputs, labels, weights, quantization, classification, rounds)
    likelihood = negative_likelihood(outputs, labels)
    fit = (F.one_hot(labels, weights.shape[1]).to(outputs.dtype) - codes @ weights).square().mean()
    errors = (codes - outputs).square().mean()
    return likelihood + quantization * errors + classification * fit + decay * weights.square().mean()


@dataclass(frozen=True, kw_only=True)
class DsdhOptions(LossOptions):
    """quantization, classification, decay: η, μ and ν, weights of the distance to the codes, of the classifier of
    codes, and of its own size; rounds: of the search for codes, over all bits."""

    quantization: NonNegative = 0.1
    classification: AboveZero = 1.0
    decay: NonNegative = 0.1
    rounds: Positive = 1


class DsdhLoss(MetricLoss, name="dsdh"):
    """Likelihood of pairs, and the distance to codes from which a linear classifier tells the classes."""

    options: DsdhOptions

    def __init__(self, options: Any, dim: int = 0, classes: int = 0):
        super().__init__(options, dim, classes)
        self.weights = nn.Parameter(torch.zeros(dim, classes))

    def of_rows(self, rows: Tensor, label: Tensor, step: TrainingStep) -> LossValue:
        options = self.options
        weights = options.quantization, options.classification, options.decay
        return dsdh(rows, label, self.weights, *weights, options.rounds)

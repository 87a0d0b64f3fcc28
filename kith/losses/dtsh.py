"""Deep supervised hashing by triplets: outputs whose signs are the code (Wang, Shi & Kitani, ACCV 2016)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from kith.constraints import AboveZero, NonNegative
from kith.losses.batch import LossValue, TrainingStep
from kith.losses.metric_loss import MinedLoss, MinedOptions
from kith.losses.rows import of_rows
from kith.losses.triplet_distances import softplus, triplet_distances


@of_rows
def dtsh(
    outputs: Tensor,
    triplets: Sequence[Any],
    margin: float = 16.0,
    quantization: float = 100 / 22500,
    form: Literal["mean", "sum", "anchors"] = "mean",
) -> Tensor:
    """softplus(θ_an − θ_ap + α) of triplets + λ·`quantization_errors` (Wang, Shi & Kitani, "DTSH", ACCV 2016).

    outputs: (B, bits); triplets: three (T,) tensors of rows; margin α: half the number of bits in the paper;
    quantization λ. form:
      mean     θ = ½uᵀv; the mean over triplets, and λ times the mean over outputs of |u − sign u|². The paper's
               weight of 100 beside a sum over 22,500 triplets is a λ of 0.0044.
      sum      θ = ½uᵀv; both summed, as in the authors' program (λ = 100) and with few triplets (λ = 10)
      anchors  θ = uᵀv; the mean over each anchor's triplets, then over anchors, and λ times the mean over outputs and
               bits of (u − sign u)², as in programs that take α = 5, λ = 1

    >>> import torch
    >>> rows = torch.tensor([[1.0], [1.0], [-1.0]])
    >>> triplets = torch.tensor([0]), torch.tensor([1]), torch.tensor([2])
    >>> round(float(dtsh(rows, triplets, margin=0.0)), 4)  # log(1 + exp(−½ − ½))
    0.3133
    """
    near, far = triplet_distances(outputs, triplets, "product")
    errors = quantization_errors(outputs)
    if form == "anchors":
        values = softplus(2 * (near - far) + margin)
        anchor = triplets[0]
        count = anchor.bincount(minlength=len(outputs))
        likelihood = (values / count[anchor]).sum() / (count > 0).sum().clamp(min=1)
        return likelihood + quantization * errors.mean() / outputs.shape[1]
    values = softplus(near - far + margin)
    if form == "sum":
        return values.sum() + quantization * errors.sum()
    return values.sum() / max(1, len(values)) + quantization * errors.mean()


def quantization_errors(outputs: Tensor) -> Tensor:
    """(B,) |u − sign u|² of (B, bits) outputs, sign 0 = 1.

    >>> import torch
    >>> quantization_errors(torch.tensor([[0.0, -2.0]]))
    tensor([2.])
    """
    signs = (outputs.detach() >= 0).to(outputs.dtype) * 2 - 1
    return (outputs - signs).square().sum(dim=1)


def doubling(epoch: int, epochs: int, final: float, stages: int = 5) -> float:
    """final / 16, / 8, / 4, / 2, final in equal parts of all epochs, counted from 0.

    >>> [doubling(epoch, 5, 16.0) for epoch in range(5)]
    [1.0, 2.0, 4.0, 8.0, 16.0]
    """
    stage = min(epoch * stages // max(1, epochs), stages - 1)
    return final / 2 ** (stages - 1 - stage)


@dataclass(frozen=True, kw_only=True)
class DtshOptions(MinedOptions):
    """margin: by default half the number of bits; quantization: weight of |u − sign u|²; schedule: which of the two
    is doubled four times, in equal parts of the training, up to its value; form: see kith.losses.dtsh."""

    mining: Literal["all", "hardest", "random", "semi_hard", "batch_hard", "batch_easy_hard", "given"] = "all"
    margin: AboveZero | None = None
    quantization: NonNegative = 100 / 22500
    schedule: Literal["none", "margin", "quantization_weight"] = "none"
    form: Literal["mean", "sum", "anchors"] = "mean"
    normalize: bool = False


class DtshLoss(MinedLoss, name="dtsh"):
    """Likelihood of triplets of outputs whose signs are the code, and the distance to these signs."""

    options: DtshOptions

    def of_rows(self, rows: Tensor, label: Tensor, step: TrainingStep) -> LossValue:
        options = self.options
        margin = rows.shape[1] / 2 if options.margin is None else options.margin
        quantization = options.quantization
        if options.schedule == "margin":
            margin = doubling(step.epoch - 1, step.epochs, margin)
        elif options.schedule == "quantization_weight":
            quantization = doubling(step.epoch - 1, step.epochs, quantization)
        triplets = self.mine(rows, label, step, margin, "product")
        loss = dtsh(rows, triplets, margin, quantization, options.form)
        return loss, self.statistics(rows, triplets, margin, "product")

"""HashNet: codes by continuation, from a smooth to a hard sign (Cao et al., ICCV 2017)."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from kith.constraints import AboveZero, NonNegative
from kith.losses.batch import LossValue, TrainingStep
from kith.losses.code_pairs import balanced_weights, same_class
from kith.losses.loss import LossOptions
from kith.losses.metric_loss import PairLoss
from kith.losses.rows import of_rows


@of_rows
def hashnet(outputs: Tensor, labels: Tensor, beta: float = 1.0, alpha: float | None = None) -> Tensor:
    """Mean over pairs of w·(log(1 + e^{αhᵀh′}) − s·αhᵀh′), h = tanh(βz) (Cao et al., "HashNet", ICCV 2017, eq. 4).

    w makes pairs of one class and pairs of two weigh the same, see `balanced_weights`; s is 1 for two rows of one
    class, else 0.

    outputs: (B, bits) z; labels: (B,) class numbers, or (B, C) sets; alpha: 10/bits by default, as in the authors'
    program.

    >>> import torch
    >>> round(float(hashnet(torch.zeros(2, 4), torch.tensor([0, 1]))), 4)  # log 2
    0.6931
    """
    alike, pairs = same_class(labels)
    codes = (beta * outputs).tanh()
    product = (10 / outputs.shape[1] if alpha is None else alpha) * (codes @ codes.T)
    likelihood = F.softplus(product) - alike * product
    return (balanced_weights(alike, pairs) * likelihood).sum() / pairs.sum().clamp(min=1)


@dataclass(frozen=True, kw_only=True)
class HashnetOptions(LossOptions):
    """alpha: of the sigmoid, 10/bits by default; growth: β of tanh(βz) is √(1 + growth·t), t being the share of the
    epochs that are done, so that outputs become hard in the end."""

    alpha: AboveZero | None = None
    growth: NonNegative = 100.0


class HashnetLoss(PairLoss, name="hashnet"):
    """Likelihood of pairs of one class and of two, which weigh the same, under outputs that harden into signs."""

    options: HashnetOptions

    def of_rows(self, rows: Tensor, label: Tensor, step: TrainingStep) -> LossValue:
        done = (step.epoch - 1) / max(1, step.epochs)
        return hashnet(rows, label, (1 + self.options.growth * done) ** 0.5, self.options.alpha)

"""Circle loss: each similarity pulls as hard as it is wrong (Sun et al., CVPR 2020)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from kith.constraints import AboveZero, NotAll
from kith.losses.batch import Batch, TrainingStep
from kith.losses.loss import Loss, LossOptions
from kith.losses.rows import of_rows


@of_rows
def circle(
    image: Tensor, text: Tensor, margin: float = 0.25, gamma: float = 64.0, excluded: Tensor | None = None
) -> Tensor:
    """Mean over pictures and texts that ask of log(1 + Σ_j exp(γ α_j (s_j − m)) · exp(−γ α_p (s_p − 1 + m))).

    s_p is the cosine of the matching pair, s_j those of all others, α_p = [1 + m − s_p]₊ and α_j = [s_j + m]₊ their
    weights, which get no gradient: Sun et al., "Circle Loss", CVPR 2020, eq. 4 to 8.

    image, text: (B, d) unit rows, row i of one belongs to row i of the other; excluded: (B, B) bool, true where a
    pair is neither positive nor negative. Half precision is computed in float32. Returns a scalar; 0 for B < 2.

    >>> import torch
    >>> rows = torch.eye(2)
    >>> round(float(circle(rows, rows, margin=0.5, gamma=1.0)), 4)  # log(1 + exp(-1/4) · exp(-1/4)): 1 against 0
    0.4741
    """
    near = image @ text.T
    barred = torch.eye(len(near), dtype=torch.bool, device=near.device)
    own = near.diagonal()
    positive = -gamma * (1 + margin - own.detach()).clamp(min=0) * (own - 1 + margin)
    others = gamma * (near.detach() + margin).clamp(min=0) * (near - margin)
    out = barred if excluded is None else barred | excluded
    total = near.sum() * 0
    for scores, left_out in ((others, out), (others.T, out.T)):
        alone = left_out.all(dim=1)  # nothing to tell it from
        negative = scores.masked_fill(left_out, -torch.inf).masked_fill(alone[:, None], 0).logsumexp(dim=1)
        total = total + F.softplus(negative + positive).masked_fill(alone, 0).mean() / 2
    return total


@dataclass(frozen=True, kw_only=True)
class CircleOptions(LossOptions):
    """margin: similarities should be above 1 − margin, or below it; gamma: how sharply."""

    margin: NotAll = 0.25
    gamma: AboveZero = 64.0


class CircleLoss(Loss, name="circle"):
    """A pair is nearer than others, and each similarity counts by how far it is from where it should be."""

    options: CircleOptions

    def forward(self, batch: Batch, step: TrainingStep) -> Tensor:
        return circle(batch.image, batch.text, self.options.margin, self.options.gamma, batch.twins)

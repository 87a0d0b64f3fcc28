"""Hierarchical cross-entropy: the steps from the root to a class are told one by one (Bertinetto et al., CVPR 2020)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from kith.constraints import NonNegative
from kith.losses.batch import LabelledRows, TrainingStep
from kith.losses.loss import ClassLoss, LossOptions
from kith.losses.rows import of_rows


@of_rows
def hierarchical_cross_entropy(logits: Tensor, labels: Tensor, similarity: Tensor, alpha: float = 2.0) -> Tensor:
    """Mean of −Σ_l e^{−α·h(C_l)} log p(C_l | C_{l+1}) over the nodes C_l from a class up to the root.

    Bertinetto et al., "Making Better Mistakes", CVPR 2020, eq. 3 and 4. A node is known by the classes below it: those
    at least as similar to the true class as 1 − h, where h is its height as a share of the taxonomy's. Nodes with one
    child are one with it. An α of 0 is plain cross-entropy; a large one asks for the class among its siblings alone.

    logits: (B, C); labels: (B,) class numbers; similarity: (C, C) LCSH in a tree, 1 on the diagonal.

    >>> import torch
    >>> near = torch.tensor([[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> found = hierarchical_cross_entropy(torch.zeros(1, 3), torch.tensor([0]), near, alpha=0.0)
    >>> round(float(found), 4)  # log 3
    1.0986
    """
    log_p = logits.log_softmax(dim=1)
    own = similarity[labels].to(logits.dtype).scatter(1, labels[:, None], 2.0)  # before all others
    near, order = own.sort(dim=1, descending=True, stable=True)
    # log p of the node whose last class is at this place, in the order of similarity.
    within = log_p.gather(1, order).logcumsumexp(dim=1)
    first = F.pad(near[:, 1:] != near[:, :-1], (1, 0))
    place = torch.arange(near.shape[1], device=near.device)
    child = (torch.where(first, place, 0).cummax(dim=1).values - 1).clamp(min=0)  # last class of the node below
    weight = (-alpha * (1 - near.gather(1, child).clamp(max=1))).exp()
    return (weight[:, 1:] * within.diff(dim=1)).sum(dim=1).mean()


@dataclass(frozen=True, kw_only=True)
class HierarchicalOptions(LossOptions):
    """alpha: how fast a step loses weight with its height in the taxonomy, which is 1 at most."""

    alpha: NonNegative = 2.0


class HierarchicalCrossEntropyLoss(ClassLoss, name="hierarchical_cross_entropy", needs={"class": {}, "classifier": {}}):
    """Cross-entropy of each step from the root of the taxonomy to the class; steps near the root weigh less."""

    options: HierarchicalOptions

    def of_classes(self, known: LabelledRows, step: TrainingStep) -> Tensor:
        return hierarchical_cross_entropy(known.logits, known.label, known.similarity, self.options.alpha)

"""N-pairs losses: each anchor against the positives of all other classes."""

import torch.nn.functional as F
from torch import Tensor

from kith.losses.angular import angular


def npairs(anchor: Tensor, positive: Tensor, labels: Tensor, regularization: float = 0.0) -> Tensor:
    """Mean of log(1 + Σ_j exp(a_iᵀp_j − a_iᵀp_i)) over j of other classes (Sohn, NIPS 2016, eq. 7).

    anchor, positive: (B, d), one or several pairs a class; labels: (B,). regularization: weight of the mean of
    ½(|a|² + |p|²). 0 without pairs.
    """
    if not len(anchor):
        return anchor.sum()
    scores = anchor @ positive.T
    rivals = (labels[:, None] == labels).fill_diagonal_(False)
    scores = scores.masked_fill(rivals, -float("inf"))
    lengths = (anchor.square() + positive.square()).sum() / (2 * len(anchor))
    return (scores.logsumexp(dim=1) - scores.diagonal()).mean() + regularization * lengths


def angular_npairs(anchor: Tensor, positive: Tensor, labels: Tensor, angle: float = 45.0) -> Tensor:
    """The angular loss of unit rows with the positives of other classes as negatives (Wang et al., ICCV 2017).

    Shapes as of `npairs`; angle in degrees.
    """
    if not len(anchor):
        return anchor.sum()
    return angular(F.normalize(anchor), F.normalize(positive), F.normalize(positive), labels[:, None] != labels, angle)

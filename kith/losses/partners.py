"""The cross-entropy of finding a row's partner, with the gradient that is made on the way."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class PartnersCrossEntropy(torch.autograd.Function):
    """The mean of log Σ_j exp(a_iᵀp_j) − a_iᵀp_i of (B, d) rows a and p; excluded: (B, B) bool, products that are left
    out, or None. Their derivative, the softmax less 1 on the diagonal, takes the place of the products themselves.

    >>> rows = torch.eye(2)
    >>> round(float(PartnersCrossEntropy.apply(rows, rows, None)), 4)  # log(1 + exp(-1))
    0.3133
    """

    @staticmethod
    def forward(ctx: Any, anchor: Tensor, positive: Tensor, excluded: Tensor | None) -> Tensor:
        scores = anchor @ positive.T
        if excluded is not None:
            scores.masked_fill_(excluded, -float("inf"))
        scores = scores.log_softmax(dim=1)
        loss = -scores.diagonal().mean()
        scores.exp_().diagonal().sub_(1)
        ctx.save_for_backward(anchor, positive, scores)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        anchor, positive, scores = ctx.saved_tensors
        slopes = scores * (gradient / len(scores))
        return slopes @ positive, slopes.T @ anchor, None

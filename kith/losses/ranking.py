"""Pairwise ranking hinge losses."""

from typing import Literal

import torch
from torch import Tensor


def pairwise_hinge(
    image: Tensor,
    text: Tensor,
    margin: float = 0.2,
    negatives: Literal["all", "hardest"] = "all",
    excluded: Tensor | None = None,
    *,
    reduction: Literal["sum", "mean"] = "sum",
    symmetric: bool = True,
    distance: Literal["cosine", "angle"] = "cosine",
) -> Tensor:
    """Mean over queries of [margin + d_ii − d_ij]₊, over j ≠ i; texts as queries are added where `symmetric`.

    image, text: (B, d) unit rows; d: 1 − cosine, or the angle. negatives: "all" takes every j ≠ i, summed (Kiros
    et al., 2014) or averaged over all pairs (Dorfer et al., IJMIR 2018); "hardest" the nearest alone (Faghri et
    al., "VSE++", BMVC 2018, eq. 6). excluded: (B, B) bool, true where a pair is neither positive nor negative.
    """
    near = image @ text.T
    if distance == "angle":
        # The derivative of arccos is infinite at ±1.
        near = -torch.arccos(near.clamp(-1 + 1e-7, 1 - 1e-7))
    barred = torch.eye(len(image), dtype=torch.bool, device=image.device)
    if excluded is not None:
        barred = barred | excluded
    total = near.new_zeros(())
    for scores, out in ((near, barred), (near.T, barred.T))[: 1 + symmetric]:
        violations = (margin - scores.diagonal()[:, None] + scores).clamp(min=0).masked_fill(out, 0)
        if negatives == "hardest":
            total = total + violations.amax(dim=1).mean()
        elif reduction == "sum":
            total = total + violations.sum(dim=1).mean()
        else:
            total = total + violations.sum() / (~out).sum().clamp(min=1)
    return total

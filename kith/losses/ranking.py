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
) -> Tensor:
    """Mean over queries of [margin − s_ii + s_ij]₊, both directions added.

    image, text: (B, d) unit rows; s the cosines. "all" sums over every j ≠ i (Kiros et al., 2014);
    "hardest" takes the largest (Faghri et al., "VSE++", BMVC 2018, eq. 6).
    excluded: (B, B) bool, true where a pair is neither positive nor negative.
    """
    similarity = image @ text.T
    right = similarity.diagonal()
    barred = torch.eye(len(image), dtype=torch.bool, device=image.device)
    if excluded is not None:
        barred = barred | excluded
    as_images = (margin - right[:, None] + similarity).clamp(min=0).masked_fill(barred, 0)
    as_texts = (margin - right[None, :] + similarity).clamp(min=0).masked_fill(barred, 0).T
    if negatives == "hardest":
        return as_images.amax(dim=1).mean() + as_texts.amax(dim=1).mean()
    return as_images.sum(dim=1).mean() + as_texts.sum(dim=1).mean()

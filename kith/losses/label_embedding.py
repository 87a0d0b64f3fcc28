"""Label embeddings that are learned with the classifier (Sun et al., "Label Embedding Network", 2017)."""

import torch.nn.functional as F
from torch import Tensor


def label_embedding(
    first: Tensor,
    second: Tensor,
    rows: Tensor,
    labels: Tensor,
    temperature: float = 2.0,
    threshold: float = 0.9,
    weight: float = 0.5,
) -> Tensor:
    """Mean over the batch of β·CE(o₁, y) + (1−β)·H(softmax t, o₁) + CE(o₂, y) + w·H(softmax(o₂/τ), t)
    + max(0, softmax(o₂)_y − α), H(p, o) = −Σ p·log softmax(o).

    first, second: (B, C) logits o₁ = W₁z and o₂ = W₂z, the second from features z that get no gradient; rows: (B, C)
    the rows t = T_y of the table of labels; temperature τ, threshold α, weight β. w is 1 / (share of pictures that o₂
    classifies right) for these and 0 for the others. Both distributions p get no gradient.
    """
    right = (second.argmax(dim=1) == labels).to(second.dtype)
    taught = F.cross_entropy(rows, (second / temperature).softmax(dim=1).detach(), reduction="none")
    confidence = second.softmax(dim=1).gather(1, labels[:, None])[:, 0]
    return (
        weight * F.cross_entropy(first, labels)
        + (1 - weight) * F.cross_entropy(first, rows.softmax(dim=1).detach())
        + F.cross_entropy(second, labels)
        + (right * taught).sum() / (right.sum() + 1e-8)
        + (confidence - threshold).clamp(min=0).mean()
    )

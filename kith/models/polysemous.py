"""Several vectors an item: what attention picks out of the parts of a picture or a text, added to the whole of it (Song
& Soleymani, "Polysemous Visual-Semantic Embedding for Cross-Modal Retrieval", CVPR 2019)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kith.models.projections import UnitLayer


class PolysemousHead(nn.Module):
    """The whole (B, whole) and parts (B, n, part) to K vectors of `dim` numbers, and what attention has added to each:
    (B, 2·K·dim), the vectors first.

    a_k = softmax over parts of w_kᵀ tanh(W₁ part) (Lin et al., ICLR 2017), r_k = σ(W₂ Σ a_k part + b₂), and the vector
    is LayerNorm(W₃ whole + b₃ + r_k). hidden: rows of W₁, half of `part` by default; dropout: of W₃ whole and of r_k.

    >>> head = PolysemousHead(whole=8, part=6, dim=4, vectors=2)
    >>> tuple(head(torch.zeros(3, 8), torch.zeros(3, 5, 6)).shape)
    (3, 16)
    """

    def __init__(
        self, whole: int, part: int, dim: int, vectors: int = 1, hidden: int | None = None, dropout: float = 0.0
    ):
        super().__init__()
        hidden = max(1, part // 2) if hidden is None else hidden
        self.whole, self.added = nn.Linear(whole, dim), nn.Linear(part, dim)
        self.looks, self.heads = nn.Linear(part, hidden, bias=False), nn.Linear(hidden, vectors, bias=False)
        self.norm, self.dropout = nn.LayerNorm(dim), nn.Dropout(dropout)
        for layer in (self.whole, self.added, self.looks, self.heads):
            nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(self.whole.bias)
        nn.init.zeros_(self.added.bias)

    def forward(self, whole: Tensor, parts: Tensor, absent: Tensor | None = None) -> Tensor:
        """absent: (B, n) bool, true where there is no such part, as behind the end of a text."""
        scores = self.heads(torch.tanh(self.looks(parts)))
        if absent is not None:
            scores = scores.masked_fill(absent[:, :, None], float("-inf"))
        seen = scores.softmax(dim=1).transpose(1, 2) @ parts
        added = self.dropout(torch.sigmoid(self.added(seen)))
        vectors = self.norm(self.dropout(self.whole(whole))[:, None] + added)
        return torch.cat([vectors.flatten(1), added.flatten(1)], dim=1)


class PolysemousLayer(UnitLayer):
    """What follows a `PolysemousHead` on both sides: K vectors an item brought to length 1, (B, K, dim), or (B, dim)
    where K is 1. Has the interface of the layers of kith.cca.

    >>> rows = torch.tensor([[3.0, 4.0, 0.0, 2.0, 9.0, 9.0, 9.0, 9.0]])
    >>> PolysemousLayer(2, 2).first(rows).tolist()[0][1], PolysemousLayer(2, 2).added(rows).tolist()[0][1]
    ([0.0, 1.0], [9.0, 9.0])
    """

    def __init__(self, vectors: int, dim: int):
        super().__init__()
        self.vectors, self.dim = vectors, dim

    def first(self, rows: Tensor) -> Tensor:
        unit = F.normalize(self._both(rows)[:, 0], dim=-1)
        return unit[:, 0] if self.vectors == 1 else unit

    second = first

    def added(self, rows: Tensor) -> Tensor:
        """What attention has added to each vector, (B, K, dim)."""
        return self._both(rows)[:, 1]

    def _both(self, rows: Tensor) -> Tensor:
        return rows.view(rows.shape[0], 2, self.vectors, self.dim)


def polysemous_head(tower: Any, dim: int, options: dict[str, Any]) -> PolysemousHead:
    """The head of a tower that tells its parts. Raises ValueError for one that does not."""
    if not hasattr(tower, "parts"):
        raise ValueError(
            "head: attention looks at the parts of a picture or a text; take a tower that has some: cnn, resnet, "
            "resnet-50 or vgg, and gru or bag"
        )
    return PolysemousHead(tower.out_features, tower.part_features, dim, **options)

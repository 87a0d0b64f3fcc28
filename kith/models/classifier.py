"""Class scores from the embedding of a picture."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn


class Classifier(nn.Module):
    """Embeddings (B, dim), before they are brought to length 1, to scores (B, classes).

    kind: "linear" is one layer; "hidden" has ReLU and batch norm before it, and "normalized" brings the embedding
    to length 1 before these (Barz & Denzler, WACV 2019, where it learns beside an embedding loss).

    >>> import torch
    >>> tuple(Classifier(8, classes=3)(torch.zeros(2, 8)).shape)
    (2, 3)
    """

    def __init__(self, dim: int, classes: int, kind: Literal["linear", "hidden", "normalized"] = "linear"):
        super().__init__()
        self.kind = kind
        self.norm = nn.Identity() if kind == "linear" else nn.BatchNorm1d(dim)
        self.output = nn.Linear(dim, classes)

    def hidden(self, features: Tensor) -> Tensor:
        """What the last layer sees, (B, dim)."""
        if self.kind == "linear":
            return features
        if self.kind == "normalized":
            features = F.normalize(features)
        return self.norm(F.relu(features))

    def forward(self, features: Tensor) -> Tensor:
        return self.output(self.hidden(features))

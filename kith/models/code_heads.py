"""Heads that are fitted in closed form, so that features become codes without training: their signs are the bits."""

import torch
from torch import Tensor, nn

ROTATIONS = 50  # of Gong & Lazebnik


class RandomHead(nn.Module):
    """Random projections of centred features (B, width) to (B, bits): Charikar, "Similarity Estimation Techniques from
    Rounding Algorithms", STOC 2002. The directions are drawn when it is made.

    >>> tuple(RandomHead(8, 4)(torch.zeros(2, 8)).shape)
    (2, 4)
    """

    mean: Tensor
    directions: Tensor

    def __init__(self, width: int, bits: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("directions", torch.randn(width, bits) / width**0.5)

    def forward(self, features: Tensor) -> Tensor:
        return (features - self.mean) @ self.directions

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Centre at the mean of features (n, width)."""
        self.mean.copy_(features.double().mean(dim=0))


class ItqHead(RandomHead):
    """Principal components, rotated so that they lose least by taking signs: iterative quantisation (Gong & Lazebnik,
    "Iterative Quantization: A Procrustean Approach to Learning Binary Codes", CVPR 2011).

    Raises ValueError for more bits than features.

    >>> head = ItqHead(3, 2)
    >>> head.fit(torch.randn(50, 3, generator=torch.Generator().manual_seed(0)))
    >>> tuple(head(torch.zeros(1, 3)).shape)
    (1, 2)
    """

    def __init__(self, width: int, bits: int):
        super().__init__(width, bits)
        if bits > width:
            raise ValueError(f"head: itq makes at most as many bits as there are features, {width}, not {bits}")

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Components and rotation of features (n, width), in float64; the rotation starts from the drawn directions."""
        super().fit(features)
        x = features.double() - features.double().mean(dim=0)
        bits = self.directions.shape[1]
        components = torch.linalg.eigh(x.T @ x / len(x))[1][:, -bits:].flip(1)
        rows = x @ components
        rotation = torch.linalg.qr(self.directions[:bits].double())[0]
        for _ in range(ROTATIONS):
            signs = torch.where(rows @ rotation >= 0, 1.0, -1.0).double()
            left, _, right = torch.linalg.svd(rows.T @ signs)
            rotation = left @ right
        self.directions.copy_(components @ rotation)

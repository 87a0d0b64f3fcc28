"""Features of a frozen encoder as the first layer takes them: standardised, or whitened, by the training split."""

import torch
from torch import Tensor, nn

SMALLEST = 1e-6  # a deviation below this is none


class EncodedFeatures(nn.Module):
    """Features (B, width) to float32 (B, out_features), by what `fit` has seen; until then centred at 0, unscaled.

    log1p: sign(x) · log(1 + |x|) first, which helps features behind a ReLU. standardize: mean 0 and deviation 1.
    pca: the so many first principal components, with deviation 1 each (whitening), in place of all dimensions.

    >>> features = EncodedFeatures(2)
    >>> features.fit(torch.tensor([[0.0, 5.0], [2.0, 5.0]]))
    >>> features(torch.tensor([[2.0, 5.0]])).tolist()
    [[1.0, 0.0]]
    """

    mean: Tensor
    scale: Tensor
    components: Tensor | None

    def __init__(self, width: int, *, log1p: bool = False, standardize: bool = True, pca: int | None = None):
        super().__init__()
        if pca is not None and pca > width:
            raise ValueError(f"encoded.pca: {pca} components of {width} features; take fewer")
        self.log1p, self.standardize = log1p, standardize or pca is not None
        self.out_features = pca or width
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(self.out_features))
        self.register_buffer("components", None if pca is None else torch.eye(width, pca))

    def forward(self, features: Tensor) -> Tensor:
        x = self._bent(features.float())
        if not self.standardize:
            return x
        x = x - self.mean
        return (x if self.components is None else x @ self.components) / self.scale

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Mean, deviations and components of features (n, width), computed in float64."""
        if not self.standardize:
            return
        x = self._bent(features.double())
        mean = x.mean(dim=0)
        self.mean.copy_(mean)
        if self.components is None:
            deviation = x.std(dim=0, correction=0)
            self.scale.copy_(torch.where(deviation > SMALLEST, deviation, 1.0))
            return
        x = x - mean
        values, vectors = torch.linalg.eigh(x.T @ x / len(x))
        kept = range(-1, -self.out_features - 1, -1)
        self.components.copy_(vectors[:, list(kept)])
        self.scale.copy_(values[list(kept)].clamp(min=SMALLEST**2).sqrt())

    def _bent(self, x: Tensor) -> Tensor:
        return x.sign() * x.abs().log1p() if self.log1p else x

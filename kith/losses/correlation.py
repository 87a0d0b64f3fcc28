"""Losses of paired views that look at no negatives."""

from torch import Tensor


def trace_norm(correlations: Tensor) -> Tensor:
    """−mean of the canonical correlations (d,): deep CCA's objective (Andrew et al., ICML 2013), by dimension."""
    return -correlations.mean()


def squared_distance(image: Tensor, text: Tensor) -> Tensor:
    """Mean (1 − cos)² of pairs: image, text (B, d) unit rows (Dorfer et al., IJMIR 2018)."""
    return (1 - (image * text).sum(dim=1)).square().mean()

"""Canonical correlation analysis: linear, and as the layer of a network (Dorfer et al., IJMIR 2018)."""

from kith.cca.layer import CCALayer, LearnedLayer, Projection
from kith.cca.linear import CCA

__all__ = ["CCA", "CCALayer", "LearnedLayer", "Projection"]

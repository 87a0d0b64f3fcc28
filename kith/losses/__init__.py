"""Losses as plain functions of tensors: unit rows in, a scalar out."""

from kith.losses.angular import angular
from kith.losses.contrastive import info_nce, siglip
from kith.losses.correlation import squared_distance, trace_norm
from kith.losses.ranking import pairwise_hinge

__all__ = ["angular", "info_nce", "pairwise_hinge", "siglip", "squared_distance", "trace_norm"]

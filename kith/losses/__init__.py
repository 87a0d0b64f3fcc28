"""Losses as plain functions of tensors: rows in, a scalar out."""

from kith.losses.angular import angular
from kith.losses.class_embedding import devise, inv_corr, mse, softmax_corr, unnorm_corr
from kith.losses.classification import center_loss, cross_entropy
from kith.losses.contrastive import info_nce, siglip
from kith.losses.correlation import squared_distance, trace_norm
from kith.losses.hashing import dtsh, quantization_errors
from kith.losses.label_embedding import label_embedding
from kith.losses.library import library_loss
from kith.losses.npairs import angular_npairs, npairs
from kith.losses.pairs import contrastive, contrastive_pairs
from kith.losses.ranking import pairwise_hinge
from kith.losses.triplet import batch_all, hoffer_ailon, soft_margin, triplet_distances, triplet_margin

__all__ = [
    "angular",
    "angular_npairs",
    "batch_all",
    "center_loss",
    "contrastive",
    "contrastive_pairs",
    "cross_entropy",
    "devise",
    "dtsh",
    "hoffer_ailon",
    "info_nce",
    "inv_corr",
    "label_embedding",
    "library_loss",
    "mse",
    "npairs",
    "pairwise_hinge",
    "quantization_errors",
    "siglip",
    "soft_margin",
    "softmax_corr",
    "squared_distance",
    "trace_norm",
    "triplet_distances",
    "triplet_margin",
    "unnorm_corr",
]

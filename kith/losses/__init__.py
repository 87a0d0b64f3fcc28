"""Losses as plain functions of tensors: rows in, a scalar out."""

from kith.losses.angular import angular
from kith.losses.class_embedding import devise, inv_corr, mse, softmax_corr, unnorm_corr
from kith.losses.classification import center_loss, cross_entropy
from kith.losses.contrastive import info_nce, siglip
from kith.losses.correlation import squared_distance, trace_norm
from kith.losses.label_embedding import label_embedding
from kith.losses.ranking import pairwise_hinge

__all__ = [
    "angular",
    "center_loss",
    "cross_entropy",
    "devise",
    "info_nce",
    "inv_corr",
    "label_embedding",
    "mse",
    "pairwise_hinge",
    "siglip",
    "softmax_corr",
    "squared_distance",
    "trace_norm",
    "unnorm_corr",
]

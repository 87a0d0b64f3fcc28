"""Losses as plain functions of tensors, rows in, a scalar out; and as terms of an objective that declare themselves.

LOSSES: name → the loss as a term, with its options, their defaults and bounds, and what it needs.
"""

# ruff: noqa: I001
from kith.losses.batch import Batch as Batch, LabelledRows as LabelledRows
from kith.losses.batch import MiningStatistics as MiningStatistics, TrainingStep as TrainingStep
from kith.losses.loss import LOSSES as LOSSES, Loss as Loss, LossOptions as LossOptions, Needs as Needs
from kith.losses.loss import of_one_label as of_one_label
from kith.losses.triplet_distances import triplet_distances as triplet_distances

# One line a loss. Their order is that of LOSSES, and of the parameters that a model is stored with: add at the end.
from kith.losses.info_nce import info_nce as info_nce
from kith.losses.siglip import siglip as siglip
from kith.losses.pairwise_hinge import pairwise_hinge as pairwise_hinge
from kith.losses.trace_norm import trace_norm as trace_norm
from kith.losses.squared_distance import squared_distance as squared_distance
from kith.losses.angular import angular as angular
from kith.losses.cross_entropy import cross_entropy as cross_entropy
from kith.losses.class_embedding import inv_corr as inv_corr, mse as mse
from kith.losses.class_embedding import softmax_corr as softmax_corr, unnorm_corr as unnorm_corr
from kith.losses.devise import devise as devise
from kith.losses.center import center_loss as center_loss
from kith.losses.label_embedding import label_embedding as label_embedding
from kith.losses.contrastive import (
    contrastive as contrastive,
    contrastive_all as contrastive_all,
    contrastive_pairs as contrastive_pairs,
)
from kith.losses.triplet import batch_all as batch_all, soft_margin as soft_margin, triplet_margin as triplet_margin
from kith.losses.hoffer_ailon import hoffer_ailon as hoffer_ailon
from kith.losses.npairs import angular_npairs as angular_npairs, npairs as npairs
from kith.losses.dtsh import dtsh as dtsh, quantization_errors as quantization_errors
from kith.losses.metric_learning import library_loss as library_loss
from kith.losses.circle import circle as circle
from kith.losses.dpsh import dpsh as dpsh
from kith.losses.hashnet import hashnet as hashnet
from kith.losses.dch import dch as dch
from kith.losses.csq import centers_of as centers_of, csq as csq, hash_centers as hash_centers
from kith.losses.greedy_hash import greedy_hash as greedy_hash
from kith.losses.soft_labels import soft_labels as soft_labels
from kith.losses.hierarchical_cross_entropy import hierarchical_cross_entropy as hierarchical_cross_entropy
from kith.losses.dsh import dsh as dsh
from kith.losses.dhn import dhn as dhn
from kith.losses.mmd import mmd as mmd
from kith.losses.diversity import diversity as diversity
from kith.losses.dsdh import discrete_codes as discrete_codes, dsdh as dsdh
from kith.losses.dfh import center_terms as center_terms, dfh as dfh
from kith.losses.binary_cross_entropy import binary_cross_entropy as binary_cross_entropy

"""Pairs and triplets of a batch: embeddings and labels in, index tensors out."""

from kith.mining.alike import alike
from kith.mining.bank import MemoryBank
from kith.mining.pairs import Pairs, all_pairs, balanced_pairs, class_pairs, hardest_pairs
from kith.mining.positives import positives
from kith.mining.triplets import Triplets, mine_triplets
from kith.mining.tuples import given_pairs, given_triplets
from kith.mining.violations import Violations, violations

__all__ = [
    "MemoryBank",
    "Pairs",
    "Triplets",
    "Violations",
    "alike",
    "all_pairs",
    "balanced_pairs",
    "class_pairs",
    "given_pairs",
    "given_triplets",
    "hardest_pairs",
    "mine_triplets",
    "positives",
    "violations",
]

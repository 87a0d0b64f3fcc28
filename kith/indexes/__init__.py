"""Indexes over vectors: what is stored of each, how the nearest are found, and what that costs in memory, time and
quality."""

from kith.indexes.index import VectorIndex
from kith.indexes.kinds import KINDS, build, known

__all__ = ["KINDS", "VectorIndex", "build", "known"]

"""Towers that turn pictures and texts into vectors, and the two-tower model made of them."""

from kith.models.dual_encoder import DualEncoder
from kith.models.saved import load, save, start_from

__all__ = ["DualEncoder", "load", "save", "start_from"]

"""Taxonomies of classes: who is whose parent, and how similar that makes two classes."""

from kith.taxonomy.files import Id, read_names
from kith.taxonomy.taxonomy import Taxonomy, narrowest

__all__ = ["Id", "Taxonomy", "narrowest", "read_names"]

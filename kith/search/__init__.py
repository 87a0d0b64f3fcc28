"""Searching trained runs: a text, a picture or an item in, the nearest items out."""

from kith.search.index import Index
from kith.search.query import Query, answer
from kith.search.run import Run
from kith.store.prepared import Prepared

__all__ = ["Index", "Prepared", "Query", "Run", "answer"]

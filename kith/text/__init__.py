"""Texts: words and their numbers, and vectors of whole texts."""

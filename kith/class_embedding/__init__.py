"""Class embeddings: one target vector a class, their similarities those of the classes."""

from kith.class_embedding.methods import METHODS, class_embedding, word_vector_targets

__all__ = ["METHODS", "class_embedding", "word_vector_targets"]

"""params.yaml: its typed schema, one file a subject, the presets, and what makes a study complete.

Methods and losses are in stages.params.method and .losses: they bring PyTorch, which most stages do without.
"""

from stages.params.base import Section
from stages.params.complete import check, complete
from stages.params.data import Fetch, Prepare
from stages.params.encoders import EncoderOptions
from stages.params.presets import presets
from stages.params.proof import prove_parameters, prove_trained, trained_with
from stages.params.results import Compare, Embed, Evaluate, Expected, Report
from stages.params.schema import PARAMS, Params, Study, load, parse
from stages.params.semantic import ClassEmbeddingOptions, Neighbors, TaxonomyOptions, Text, Tokens
from stages.params.towers import ImageTower, TextTower
from stages.params.training import Train

__all__ = [
    "PARAMS", "ClassEmbeddingOptions", "Compare", "Embed", "EncoderOptions", "Evaluate", "Expected", "Fetch",
    "ImageTower", "Neighbors", "Params", "Prepare", "Report", "Section", "Study", "TaxonomyOptions", "Text",
    "TextTower", "Tokens", "Train", "check", "complete", "load", "parse", "presets",
    "prove_parameters", "prove_trained", "trained_with",
]  # fmt: skip

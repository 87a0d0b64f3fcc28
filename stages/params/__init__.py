"""params.yaml: its typed schema, one file a section, and the presets."""

from stages.params.data import Captioned, Labelled, Pairs
from stages.params.losses import Losses
from stages.params.meaning import Tokens
from stages.params.schema import (
    PARAMS,
    PRESETS,
    ClassEmbedding,
    Compare,
    Embed,
    Evaluate,
    Expected,
    Fetch,
    Method,
    Neighbors,
    Params,
    Prepare,
    Report,
    Section,
    Study,
    Taxonomy,
    Text,
    Train,
    check,
    load,
    parse,
    presets,
    schema,
)
from stages.params.towers import ImageTower, TextTower

__all__ = [
    "PARAMS", "PRESETS", "Captioned", "ClassEmbedding", "Compare", "Embed", "Evaluate", "Expected", "Fetch",
    "ImageTower", "Labelled", "Losses", "Method", "Neighbors", "Pairs", "Params", "Prepare", "Report", "Section",
    "Study", "Taxonomy", "Text", "TextTower", "Tokens", "Train", "check", "load", "parse", "presets", "schema",
]  # fmt: skip

"""The two sides of the prepared data as a model takes them: pictures or features, texts or features."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kith.store.inputs import ArrayView, TokenView, View
from kith.text.tokens import Vocabulary
from stages import contract


def images(items: pd.DataFrame, data: Path) -> ArrayView:
    """Features of the image side where there are any, else pictures."""
    features = contract.features(data, "image")
    if features is not None:
        return ArrayView(features, np.arange(len(items)))
    return ArrayView(contract.images(data), items["image_row"].to_numpy())


def texts(items: pd.DataFrame, data: Path, vocabulary: Vocabulary, max_tokens: int) -> View:
    """Features of the text side where there are any, else texts as word numbers."""
    features = contract.features(data, "text")
    if features is not None:
        return ArrayView(features, np.arange(len(items)))
    tokens, lengths = vocabulary.encode(contract.all_texts(items), max_tokens)
    return TokenView(tokens, lengths, contract.text_start(items))


def features(dataset: dict[str, Any], side: str) -> dict[str, Any] | None:
    """Shape, shift and scale of the features of a side ("image", "text"); None where it has none."""
    return (dataset.get("features") or {}).get(side)

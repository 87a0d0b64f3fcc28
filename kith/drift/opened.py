"""A trained run with all that reads rows for it."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from kith import models
from kith.inference.raw import RawInputs
from kith.store.run import existing, one_vector


class OpenedRun:
    """The run in `folder`; root, within: as of `kith.inference.raw.RawInputs`. Raises KithError where there is none, or
    it has several vectors an item."""

    def __init__(self, folder: Path, root: Path = Path(), within: tuple[Path, ...] = ()):
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.folder = existing(folder)
        self.model, self.vocabulary, saved = models.load(folder / "model.pt", device)
        one_vector(self.model.shape, folder)
        self.tokens: int = saved["max_tokens"]
        self.raw = RawInputs(self.model.config, self.vocabulary, self.tokens, root, within)

    @property
    def sides(self) -> list[str]:
        """Those that the model embeds."""
        return ["image"] if self.model.text_tower is None else ["image", "text"]

    @cached_property
    def reads_words(self) -> bool:
        """Whether it reads texts, not features of them alone."""
        return self.raw.reads_texts or ("text" in self.sides and not self.raw.takes_features("text"))

    def unknown(self, texts: Sequence[str]) -> np.ndarray:
        """(n,) bool: which texts have a word that the model does not know; (0,) where it reads none."""
        given = texts if self.reads_words else []
        return np.array([bool(self.raw.tokenizer.unknown_words(text)) for text in given], dtype=bool)

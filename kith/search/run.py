"""A trained run that can be asked: its model, and an index over what it embedded."""

from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch

from kith import models
from kith.errors import KithError, UnanswerableError, listed
from kith.inference.predict import predict_images, predict_texts
from kith.inference.raw import RawInputs
from kith.search import pictures
from kith.search.index import Index
from kith.search.shown import ShownItems
from kith.search.vectors import SIDES, embedded, everything
from kith.store.prepared import Prepared
from kith.store.run import existing


class Found(NamedTuple):
    item: int
    similarity: float


class Run:
    """The folder of a trained run over its prepared data; safe to use from several threads.

    embed_all: search every item of the data, not only those that the embed stage embedded.
    Raises KithError where the folder holds no model, or embeddings of other data.
    """

    def __init__(self, folder: Path, data: Prepared, embed_all: bool = False):
        existing(folder)
        self.name, self.data, self.shown = folder.resolve().name, data, ShownItems(data)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model, tokenizer, saved = models.load(folder / "model.pt", device)
        self._raw = RawInputs(self.model.config, tokenizer, saved["max_tokens"])
        self._lock = Lock()  # a tower uses all cores by itself
        if embed_all:
            self._sides = everything(folder, self.model, tokenizer, saved["max_tokens"], data)
        else:
            self._sides = embedded(folder, self.model.dim, data)
        codes = bool(self.model.config.get("codes"))
        indexes = {side: Index(each.vectors, each.items, codes=codes) for side, each in self._sides.items()}
        self.indexes = {side: index for side, index in indexes.items() if len(index)}
        if not self.indexes:
            raise KithError(f"{folder}: nothing was embedded; run the embed stage, or search with --embed-all")
        self.items = np.unique(np.concatenate([index.items for index in self.indexes.values()]))
        self._places = {
            side: dict(zip(reversed(items.tolist()), reversed(range(len(items))), strict=True))
            for side, items in ((side, each.items) for side, each in self._sides.items())
        }

    @property
    def asks(self) -> list[str]:
        """What it can be searched by: of "text", "image" and "item"."""
        features, texts, alone = self._raw.takes_features, self.model.config["text"] is not None, self._raw.reads_texts
        by = {
            "text": alone or (texts and not features("text")),
            "image": not (alone or features("image")),
            "item": True,
        }
        return [kind for kind, possible in by.items() if possible]

    @property
    def sides(self) -> list[str]:
        """What it can be searched for: of "image" and "text"."""
        return list(self.indexes)

    def unknown_words(self, text: str) -> list[str]:
        """The words of a text that the model never saw."""
        return self._raw.tokenizer.unknown_words(text)

    def cut(self, text: str) -> tuple[int, int] | None:
        """How many words (or pieces) of a text are read, and how many it has; None where all are."""
        return self._raw.cut(text)

    def among(self, side: str) -> str:
        """What a search for this side goes over: "1,200 held-out of 5,998 items"."""
        items, every = np.unique(self.indexes[side].items), len(self.data)
        if len(items) == every:
            return f"all {every:,} items"
        kind = "embedded" if "train" in set(self.data.splits[items]) else "held-out"
        return f"{len(items):,} {kind} of {every:,} items"

    def text_vector(self, text: str) -> np.ndarray:
        """(dim,) of a text. Raises UnanswerableError if the run knows no texts, or none of the text's words."""
        self._must_ask("text")
        if not self._raw.tokenizer.pieces(text):
            raise UnanswerableError("the text has no word to search by")
        if not self._raw.tokenizer.knows(text):
            unknown = listed(self.unknown_words(text))
            raise UnanswerableError(f"{self.name} knows none of the words {unknown}: it has no answer; take others")
        with self._lock:
            if self._raw.reads_texts:
                return predict_images(self.model, *self._raw.arrays("image", [text]))["vector"][0]
            return predict_texts(self.model, *self._raw.arrays("text", [text]))["vector"][0]

    def picture_vector(self, encoded: bytes, invert: bool | None = None) -> np.ndarray:
        """(dim,) of an encoded picture; see `pictures.read`. Raises UnanswerableError if the run knows no pictures."""
        self._must_ask("image")
        pixels = pictures.read(encoded, self._raw, self.shown.brightness, invert)
        with self._lock:
            return predict_images(self.model, pixels[None])["vector"][0]

    def item_vector(self, item: int) -> np.ndarray:
        """(dim,) of an item: of its image side, or else of its first text."""
        for side in SIDES:
            if item in self._places[side]:
                return self._sides[side].vectors[self._places[side][item]]
        name = self.data.table["id"].iat[item]
        raise UnanswerableError(f"{self.name}: item '{name}' was not embedded; search among all items with --embed-all")

    def nearest(
        self, vector: np.ndarray, side: str, count: int, *, one_per_group: bool = False, without: int | None = None
    ) -> list[Found]:
        """The items whose image or text side is nearest to a vector, best first.

        one_per_group: of each group only the nearest item. without: an item that is left out.
        """
        if side not in self.indexes:
            raise UnanswerableError(f"{self.name} embedded no {side}s; search for {listed(self.sides)}")
        groups = self.data.groups if one_per_group else None
        items, similarities = self.indexes[side].search(vector, count, groups=groups, without=without)
        return [Found(*found) for found in zip(items.tolist(), similarities.tolist(), strict=True)]

    def _must_ask(self, kind: str) -> None:
        if kind not in self.asks:
            raise UnanswerableError(f"{self.name} cannot be searched by {kind}, only by {' or '.join(self.asks)}")

"""A trained run that can be asked: its model, and an index over what it embedded."""

from collections.abc import Sequence
from functools import cached_property
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
from kith.search.facets import Facets, Where
from kith.search.index import Index
from kith.search.shown import ShownItems
from kith.search.spelling import Spelling
from kith.search.vectors import SIDES, embedded, everything
from kith.store.prepared import Prepared
from kith.store.run import existing


class Found(NamedTuple):
    item: int
    similarity: float


class UnknownWordsError(UnanswerableError):
    """A text of which a run knows no word. suggestion: how it may have been meant, or None."""

    def __init__(self, message: str, suggestion: str | None):
        super().__init__(message)
        self.suggestion = suggestion


class Run:
    """The folder of a trained run over its prepared data; safe to use from several threads.

    embed_all: search every item of the data, not only those that the embed stage embedded.
    index: the method of `Index`.
    Raises KithError where the folder holds no model, or embeddings of other data.
    """

    def __init__(self, folder: Path, data: Prepared, embed_all: bool = False, index: str = "auto"):
        existing(folder)
        self.folder, self.name = folder, folder.resolve().name
        self.data, self.shown = data, ShownItems(data)
        self._spelling_lock = Lock()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model, tokenizer, saved = models.load(folder / "model.pt", device)
        self._raw = RawInputs(self.model.config, tokenizer, saved["max_tokens"])
        self._lock = Lock()  # a tower uses all cores by itself
        if embed_all:
            self._sides = everything(folder, self.model, tokenizer, saved["max_tokens"], data, grown=True)
        else:
            self._sides = embedded(folder, self.model.dim, data)
        codes, self._by = bool(self.model.config.get("codes")), index
        self.indexes = {
            side: Index(each.vectors, each.items, codes=codes, method=index)
            for side, each in self._sides.items()
            if len(each.items)
        }
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

    def suggestion(self, text: str) -> str | None:
        """The text with words that are in no text of the data exchanged for similar ones; None: nothing to exchange."""
        with self._spelling_lock:  # whoever comes first makes it
            spelling = self._spelling
        return spelling.mended(text, lambda word: not self.unknown_words(word))

    @cached_property
    def _spelling(self) -> Spelling:
        return Spelling(self.data.texts)

    @cached_property
    def facets(self) -> Facets:
        """What a search can be narrowed by."""
        return Facets(self.data, self.shown.columns, self.items)

    @cached_property
    def _has(self) -> dict[str, np.ndarray]:
        """(n_items,) bool of each side: the items that are searched at all."""
        found = {side: np.zeros(len(self.data), dtype=bool) for side in self.indexes}
        for side, index in self.indexes.items():
            found[side][index.items] = True
        return found

    def searched(self, side: str, where: Where, without: Sequence[int] = ()) -> np.ndarray:
        """(n_items,) bool: the items that a search for this side goes over. where: filters; without: left out."""
        if side not in self.indexes:
            raise UnanswerableError(f"{self.name} embedded no {side}s; search for {listed(self.sides)}")
        passed = self.facets.mask(where)
        found = self._has[side].copy() if passed is None else self._has[side] & passed
        found[list(without)] = False
        return found

    def count(self, searched: np.ndarray, one_per_group: bool) -> int:
        """How many items, or groups of them, `searched` says."""
        if one_per_group:
            return len(np.unique(self.data.groups[searched]))
        return int(np.count_nonzero(searched))

    def cut(self, text: str) -> tuple[int, int] | None:
        """How many words (or pieces) of a text are read, and how many it has; None where all are."""
        return self._raw.cut(text)

    def among(self, side: str) -> str:
        """What a search for this side goes over: "1,200 held-out of 5,998 items"."""
        return self._among[side]

    @cached_property
    def _among(self) -> dict[str, str]:
        return {side: self._told_among(side) for side in self.indexes}  # once: it looks at every item

    def _told_among(self, side: str) -> str:
        items, every = np.unique(self.indexes[side].items), len(self.data)
        by = f", approximately, by {self._by}" if self._by not in ("auto", "exact", "float32") else ""
        if len(items) == every:
            return f"all {every:,} items{by}"
        kind = "embedded" if "train" in set(self.data.splits[items]) else "held-out"
        return f"{len(items):,} {kind} of {every:,} items{by}"

    def text_vector(self, text: str) -> np.ndarray:
        """(dim,) of a text. Raises UnanswerableError if the run knows no texts, or none of the text's words."""
        self._must_ask("text")
        if not self._raw.tokenizer.pieces(text):
            raise UnanswerableError("the text has no word to search by")
        if not self._raw.tokenizer.knows(text):
            unknown = listed(self.unknown_words(text))
            told = f"{self.name} knows none of the words {unknown}: it has no answer; take others"
            raise UnknownWordsError(told, self.suggestion(text))
        with self._lock:
            if self._raw.reads_texts:
                (features,) = self._raw.arrays("image", [text])
                return predict_images(self.model, features)["vector"][0]
            return predict_texts(self.model, *self._raw.arrays("text", [text]))["vector"][0]

    def picture_vector(self, encoded: bytes, invert: bool | None = None) -> np.ndarray:
        """(dim,) of an encoded picture; see `pictures.read`. Raises UnanswerableError if the run knows no pictures."""
        self._must_ask("image")
        pixels = pictures.read(encoded, self._raw, self.shown.brightness, invert)
        with self._lock:
            (arrays,) = self._raw.arrays("image", [pixels])  # what an encoder makes of it, if the run has one
            return predict_images(self.model, arrays)["vector"][0]

    def item_vector(self, item: int) -> np.ndarray:
        """(dim,) of an item: of its image side, or else of its first text."""
        for side in SIDES:
            if item in self._places[side]:
                return self._sides[side].vectors[self._places[side][item]]
        name = self.data.table["id"].iat[item]
        raise UnanswerableError(f"{self.name}: item '{name}' was not embedded; search among all items with --embed-all")

    def nearest(
        self,
        vector: np.ndarray,
        side: str,
        count: int,
        *,
        one_per_group: bool = False,
        without: int | None = None,
        allowed: np.ndarray | None = None,
    ) -> list[Found]:
        """The items whose image or text side is nearest to a vector, best first.

        one_per_group: of each group only the nearest item. without: an item that is left out. allowed: (n_items,)
        bool, those that may be found; None: all.
        """
        if side not in self.indexes:
            raise UnanswerableError(f"{self.name} embedded no {side}s; search for {listed(self.sides)}")
        groups = self.data.groups if one_per_group else None
        items, similarities = self.indexes[side].search(vector, count, groups=groups, without=without, allowed=allowed)
        return [Found(*found) for found in zip(items.tolist(), similarities.tolist(), strict=True)]

    def _must_ask(self, kind: str) -> None:
        if kind not in self.asks:
            raise UnanswerableError(f"{self.name} cannot be searched by {kind}, only by {' or '.join(self.asks)}")

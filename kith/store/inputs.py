"""The two sides of a pair as arrays: pictures or features, one row an item, and texts, several rows an item."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from kith.data.images import cut
from kith.errors import KithError
from kith.store.ahead import cores, together
from kith.store.encoded import Encoded
from kith.store.photos import Parts, Photos, pictures
from kith.store.prepared import Prepared
from kith.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class ArrayInput:
    """One row an item: pictures (N, H, W, C) uint8 or features (N, …) float32, maybe memory-mapped.

    rows: (n_items,) the row of each item in `array`, −1 for an item without one. workers: threads that read batches
    ahead of their use; 0: they are read when they are asked for.
    """

    array: np.ndarray
    rows: np.ndarray
    workers: int = 0

    def has(self, items: np.ndarray) -> np.ndarray:
        """(n,) bool, whether each of `items` has a row."""
        return self.rows[items] >= 0

    def one_of(self, items: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """The row of each of `items`."""
        return self.rows[items]

    def all_of(self, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Every row of `items`, and the item each belongs to."""
        owner = items[self.has(items)]
        return self.rows[owner], owner

    def take(self, rows: np.ndarray) -> tuple[Tensor, ...]:
        """What a tower is called with."""
        return (torch.from_numpy(np.asarray(self.array[rows])),)

    def take_parts(self, rows: np.ndarray, side: int, parts: Parts) -> Tensor:
        """Rectangles of pictures, (n, side, side, C) uint8."""
        found = np.empty((len(rows), side, side, self.array.shape[-1]), dtype=np.uint8)

        def put(place: int) -> None:
            pixels = self.array[rows[place]]
            found[place] = cut(pixels, side, parts(place, pixels.shape[1], pixels.shape[0]))

        together(put, len(rows), self.workers)
        return torch.from_numpy(found)


class _TextRows:
    """Any number of texts an item; start: (n_items + 1,), the texts of item i are rows start[i] to start[i + 1]."""

    start: np.ndarray
    workers: ClassVar[int] = 0

    def has(self, items: np.ndarray) -> np.ndarray:
        """(n,) bool, whether each of `items` has a text."""
        return self.start[items + 1] > self.start[items]

    def one_of(self, items: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """One text of each of `items`, drawn from `random`."""
        start, stop = self.start[items], self.start[items + 1]
        return start + (random.random(len(items)) * (stop - start)).astype(np.int64)

    def all_of(self, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Every text of `items`, and the item each belongs to."""
        counts = self.start[items + 1] - self.start[items]
        owner = np.repeat(items, counts)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.start[owner] + within, owner


@dataclass(frozen=True)
class TokenInput(_TextRows):
    """Texts as tokens: tokens (n_texts, L) int32, and lengths (n_texts,)."""

    tokens: np.ndarray
    lengths: np.ndarray
    start: np.ndarray

    def take(self, rows: np.ndarray) -> tuple[Tensor, ...]:
        """Tokens, cut to the longest of these texts, and lengths."""
        lengths = self.lengths[rows]
        tokens = self.tokens[rows, : lengths.max(initial=1)]
        return torch.from_numpy(tokens).long(), torch.from_numpy(lengths).long()


@dataclass(frozen=True)
class EncodedTexts(_TextRows):
    """Texts as features (n_texts, d) of a frozen encoder, maybe memory-mapped."""

    features: np.ndarray
    start: np.ndarray

    def take(self, rows: np.ndarray) -> tuple[Tensor, ...]:
        """What a tower is called with."""
        return (torch.from_numpy(np.asarray(self.features[rows])),)


@dataclass(frozen=True)
class PhotoInput(ArrayInput):
    """Photographs, which are decoded when they are taken."""

    array: Photos  # type: ignore[assignment]  # has the shape of an array
    workers: int = field(default_factory=cores)

    def take(self, rows: np.ndarray) -> tuple[Tensor, ...]:
        return (torch.from_numpy(self.array.take(rows, self.workers)),)

    def take_parts(self, rows: np.ndarray, side: int, parts: Parts) -> Tensor:
        return torch.from_numpy(self.array.parts(rows, side, parts, self.workers))


ModalityInput = ArrayInput | TokenInput | EncodedTexts


def image_input(data: Prepared, encoded: Encoded | None = None) -> ArrayInput:
    """What the image side of a model takes: what a frozen encoder made of the pictures, or without any of the texts of
    each item, if it is given; else features where there are any, else pictures.

    Raises KithError where there are neither.
    """
    if encoded is not None:
        documents = np.where(np.diff(data.text_start) > 0, np.arange(len(data)), -1) if data.of_texts else None
        rows = data.table["image_row"].to_numpy() if documents is None else documents
        return ArrayInput(encoded.features("image"), rows)
    features = data.features("image")
    if features is not None:
        return ArrayInput(features, np.arange(len(data)))
    found, rows = pictures(data), data.table["image_row"].to_numpy()
    if found is None:
        raise KithError(f"{data.folder}: neither images.npy nor features_image.npy; run the prepare stage again")
    return PhotoInput(found, rows) if isinstance(found, Photos) else ArrayInput(found, rows)


def text_input(data: Prepared, vocabulary: Tokenizer, max_tokens: int, encoded: Encoded | None = None) -> ModalityInput:
    """What the text side of a model takes: what a frozen encoder made of the texts, if it is given; else features where
    there are any, else texts as word numbers."""
    if encoded is not None:
        return EncodedTexts(encoded.features("text"), data.text_start)
    features = data.features("text")
    if features is not None:
        return ArrayInput(features, np.arange(len(data)))
    tokens, lengths = vocabulary.encode(data.texts, max_tokens)
    return TokenInput(tokens, lengths, data.text_start)

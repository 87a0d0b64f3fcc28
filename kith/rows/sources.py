"""What an encoder reads, row by row: texts and pictures, each known by what is in it."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch

from kith.encoders.encoder import PictureEncoder, TextEncoder
from kith.encoders.frozen import Frozen, stored
from kith.rows.kept import KEY, keys_of
from kith.rows.shapes import alone, batches, padded
from kith.store.inputs import ArrayInput
from kith.store.photos import Photos

BLOCK = 32_768  # texts that are cut into tokens at a time
SIDE, LENGTH = 64, 16  # pixels of the pictures, and tokens of the texts, by which a network is tried

Encoded = tuple[np.ndarray, np.ndarray]


def keys_of_array(array: np.ndarray | Photos, rows: np.ndarray) -> np.ndarray:
    """(n,) the SHA-256 of what is in each of these rows; of photographs, of their files.

    >>> first, again, other = keys_of_array(np.array([[1.0], [1.0], [2.0]]), np.arange(3))
    >>> first == again, first == other
    (True, False)
    """
    if isinstance(array, Photos):
        return np.ascontiguousarray(array.index["sha256"][rows]).view(KEY)
    return keys_of([hashlib.sha256(np.ascontiguousarray(array[row]).data).digest() for row in rows.tolist()])


def pillow() -> str:
    """The version of what decodes photographs."""
    import PIL

    return PIL.__version__


class EncodableRows(Protocol):
    """Rows that can be encoded, any of them at a time."""

    def __len__(self) -> int: ...

    def keys(self) -> np.ndarray:
        """(n,) the SHA-256 of what is in each row."""

    def told(self) -> dict[str, Any]:
        """In plain values, what decides the vectors besides the rows and the encoder."""

    def alone(self) -> bool:
        """Whether the encoder gives a row the same bits whatever stands beside it."""

    def encode(self, rows: np.ndarray) -> Iterator[Encoded]:
        """Batches of `rows`, in any order, and their vectors (b, width) float16."""


class WrittenRows:
    """Texts as an encoder of texts reads them; batch: how many at a time."""

    def __init__(self, frozen: Frozen, texts: Sequence[str], batch: int):
        assert isinstance(frozen.encoder, TextEncoder)
        self.frozen, self.encoder, self.texts, self.batch = frozen, frozen.encoder, texts, batch

    def __len__(self) -> int:
        return len(self.texts)

    def keys(self) -> np.ndarray:
        written = (text.encode("utf-8", errors="surrogatepass") for text in self.texts)
        return keys_of([hashlib.sha256(content).digest() for content in written])

    def told(self) -> dict[str, Any]:
        return {"rows": "texts"}

    def alone(self) -> bool:
        random = np.random.default_rng(0)
        lengths = LENGTH - np.arange(self.batch) % (LENGTH // 2)
        most = min(LENGTH, self.encoder.max_tokens)
        lengths = np.minimum(lengths, most)
        tokens = random.integers(0, len(self.encoder.tokenizer), (self.batch, most))
        return alone(lambda rows: self._vectors(tokens[rows], lengths[rows]), self.batch)

    def encode(self, rows: np.ndarray) -> Iterator[Encoded]:
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            tokens, lengths = self.encoder.tokenizer.encode([self.texts[row] for row in block], self.encoder.max_tokens)
            shapes = padded(lengths, self.encoder.max_tokens)
            for length in np.unique(shapes):
                for at, count in batches(np.flatnonzero(shapes == length), self.batch):
                    yield block[at[:count]], self._filled(tokens, lengths, at, int(length))[:count]

    def _filled(self, tokens: np.ndarray, lengths: np.ndarray, rows: np.ndarray, length: int) -> np.ndarray:
        filled = np.full((len(rows), length), self.encoder.tokenizer.pad, dtype=np.int64)
        filled[:, : min(length, tokens.shape[1])] = tokens[rows, :length]
        return self._vectors(filled, lengths[rows])

    @torch.inference_mode()
    def _vectors(self, tokens: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        given = (
            torch.from_numpy(np.asarray(each, dtype=np.int64)).to(self.frozen.device) for each in (tokens, lengths)
        )
        return stored(self.frozen.network(*given))


class PictureRows:
    """Prepared pictures as an encoder of pictures reads them; settings: how photographs are decoded."""

    def __init__(self, frozen: Frozen, pictures: ArrayInput, settings: dict[str, Any], batch: int):
        assert isinstance(frozen.encoder, PictureEncoder)
        self.frozen, self.pictures, self.settings, self.batch = frozen, pictures, settings, batch

    def __len__(self) -> int:
        return len(self.pictures.array)

    def keys(self) -> np.ndarray:
        return keys_of_array(self.pictures.array, np.arange(len(self)))

    def told(self) -> dict[str, Any]:
        array = self.pictures.array
        if not isinstance(array, Photos):
            return {"rows": "pictures", "shape": list(array.shape[1:])}
        return {"rows": "photographs", "decoded": self.settings, "pillow": pillow()}

    def alone(self) -> bool:
        drawn = np.random.default_rng(0).integers(0, 256, (self.batch, SIDE, SIDE, 3), dtype=np.uint8)
        return alone(lambda rows: self.frozen.images(torch.from_numpy(drawn[rows])), self.batch)

    def encode(self, rows: np.ndarray) -> Iterator[Encoded]:
        for batch, count in batches(rows, self.batch):
            (taken,) = self.pictures.take(batch)
            yield batch[:count], self.frozen.images(taken)[:count]

"""What an encoder reads, row by row: texts and pictures, each known by what is in it."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from kith.encoders.encoder import PictureEncoder, TextEncoder
from kith.encoders.frozen import Frozen, stored
from kith.rows.kept import KEY, keys_of
from kith.rows.shapes import alone, batches, padded, size_of
from kith.store.inputs import ArrayInput, EncodedTexts, ModalityInput, TokenInput
from kith.store.photos import Photos

BLOCK = 32_768  # texts that are cut into tokens at a time
SIDE, LENGTH = 64, 16  # pixels of the pictures, and tokens of the texts, by which a network is tried

Encoded = tuple[np.ndarray, np.ndarray]


class Part(NamedTuple):
    """Rows (b,) that are encoded together; and of texts what these are: texts, their tokens (b, L) and lengths."""

    rows: np.ndarray
    texts: Sequence[str] = ()
    tokens: np.ndarray | None = None
    lengths: np.ndarray | None = None


def keys_of_texts(texts: Sequence[str]) -> np.ndarray:
    """(n,) the SHA-256 of each text.

    >>> first, again, other = keys_of_texts(["a", "a", "b"])
    >>> first == again, first == other
    (True, False)
    """
    written = (text.encode("utf-8", errors="surrogatepass") for text in texts)
    return keys_of([hashlib.sha256(content).digest() for content in written])


def keys_of_array(array: np.ndarray | Photos, rows: np.ndarray) -> np.ndarray:
    """(n,) the SHA-256 of what is in each of these rows; of photographs, of their files.

    >>> first, again, other = keys_of_array(np.array([[1.0], [1.0], [2.0]]), np.arange(3))
    >>> first == again, first == other
    (True, False)
    """
    if isinstance(array, Photos):
        return np.ascontiguousarray(array.index["sha256"][rows]).view(KEY)
    return keys_of([hashlib.sha256(np.ascontiguousarray(array[row]).data).digest() for row in rows.tolist()])


def keys_of_input(inputs: ModalityInput, rows: np.ndarray) -> np.ndarray:
    """(n,) the SHA-256 of what a model reads of each of these rows; of texts as tokens without what fills them up."""
    if isinstance(inputs, TokenInput):
        tokens, lengths = inputs.tokens, inputs.lengths
        return keys_of([hashlib.sha256(tokens[row, : lengths[row]].tobytes()).digest() for row in rows.tolist()])
    return keys_of_array(inputs.features if isinstance(inputs, EncodedTexts) else inputs.array, rows)


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
    """Texts as an encoder of texts reads them; batch: how many at a time, at most."""

    def __init__(self, frozen: Frozen, texts: Sequence[str], batch: int):
        assert isinstance(frozen.encoder, TextEncoder)
        self.frozen, self.encoder, self.texts, self.batch = frozen, frozen.encoder, texts, batch

    def __len__(self) -> int:
        return len(self.texts)

    def keys(self) -> np.ndarray:
        return keys_of_texts(self.texts)

    def told(self) -> dict[str, Any]:
        return {"rows": "texts"}

    def alone(self) -> bool:
        size, most = self._size(LENGTH), min(LENGTH, self.encoder.max_tokens)
        lengths = np.minimum(LENGTH - np.arange(size) % (LENGTH // 2), most)
        tokens = np.random.default_rng(0).integers(0, len(self.encoder.tokenizer), (size, most))
        return alone(lambda rows: self._vectors(tokens[rows], lengths[rows]), size)

    def parts(self, rows: np.ndarray) -> Iterator[Part]:
        """All of `rows`, in an order and in parts that depend on them alone."""
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            tokens, lengths = self.encoder.tokenizer.encode([self.texts[row] for row in block], self.encoder.max_tokens)
            shapes = padded(lengths, self.encoder.max_tokens)
            for length in np.unique(shapes).tolist():
                of_length, size = np.flatnonzero(shapes == length), self._size(length)
                for at in np.split(of_length, range(size, len(of_length), size)):
                    texts = [self.texts[row] for row in block[at]]
                    yield Part(block[at], texts, self._filled(tokens[at, :length], length), lengths[at])

    def vectors(self, part: Part) -> np.ndarray:
        """(b, width) float16 of a part."""
        assert part.tokens is not None
        assert part.lengths is not None
        ((at, count),) = batches(np.arange(len(part.rows)), self._size(part.tokens.shape[1]))
        return self._vectors(part.tokens[at], part.lengths[at])[:count]

    def keys_of(self, part: Part) -> np.ndarray:
        """(b,) the SHA-256 of what came with each row of a part."""
        return keys_of_texts(part.texts)

    def encode(self, rows: np.ndarray) -> Iterator[Encoded]:
        for part in self.parts(rows):
            yield part.rows, self.vectors(part)

    def _size(self, length: int) -> int:
        """How many texts of a length are encoded together: always as many, so that their vectors do not depend on how
        many there are. A GPU has enough to do with no few of them."""
        return size_of(length, self.batch, torch.get_num_threads()) if self.frozen.device.type == "cpu" else self.batch

    def _filled(self, tokens: np.ndarray, length: int) -> np.ndarray:
        filled = np.full((len(tokens), length), self.encoder.tokenizer.pad, dtype=np.int32)
        filled[:, : tokens.shape[1]] = tokens
        return filled

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

    def parts(self, rows: np.ndarray) -> Iterator[Part]:
        """All of `rows`, in their order."""
        for start in range(0, len(rows), self.batch):
            yield Part(rows[start : start + self.batch])

    def vectors(self, part: Part) -> np.ndarray:
        """(b, width) float16 of a part."""
        ((batch, count),) = batches(part.rows, self.batch)
        (taken,) = self.pictures.take(batch)
        return self.frozen.images(taken)[:count]

    def keys_of(self, part: Part) -> np.ndarray:
        """(b,) the SHA-256 of what is in each row of a part."""
        return keys_of_array(self.pictures.array, part.rows)

    def encode(self, rows: np.ndarray) -> Iterator[Encoded]:
        for part in self.parts(rows):
            yield part.rows, self.vectors(part)


EncoderRows = WrittenRows | PictureRows

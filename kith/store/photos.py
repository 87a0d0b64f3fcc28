"""Photographs as an array that is decoded where it is read: the prepared pictures, whichever store they are in."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kith.data.depths import PLAIN, Conversion
from kith.data.images import Box, UndecodableImage, decode, decode_part
from kith.data.shards import INDEX, SHARDS
from kith.errors import KithError, reading
from kith.store.ahead import cores, together
from kith.store.prepared import AGAIN, Prepared

# Where a picture, by its place in a batch, is looked at: (place, width, height) to a rectangle.
Parts = Callable[[int, int, int], Box]


class Photos:
    """N encoded pictures, read and indexed as if they were an array (N, size, size, C) of uint8.

    folder: that of the shards; index: (N,) of the dtype `kith.data.shards.PLACE`; size, mode, fit and choices: as of
    `kith.data.images.decode`. Pictures are read one by one, and each is proved by the checksum of the index. Safe to
    use from several threads.
    """

    def __init__(
        self,
        folder: Path,
        index: np.ndarray,
        size: int,
        mode: str = "RGB",
        fit: str = "pad",
        choices: Conversion = PLAIN,
    ):
        self.folder, self.index = folder, index
        self.size, self.mode, self.fit, self.choices = size, mode, fit, choices
        self.shape = (len(index), size, size, 1 if mode == "L" else 3)

    def __len__(self) -> int:
        return len(self.index)

    def encoded(self, row: int) -> bytes:
        """The bytes of a picture, JPEG or PNG. Raises KithError where they are not those that were stored."""
        shard, offset, length, digest = self.index[row].tolist()
        path = self.folder / SHARDS.format(shard)
        try:
            with path.open("rb", buffering=0) as file:  # closed again: there may be more shards than a process may open
                data = os.pread(file.fileno(), length, offset)
        except FileNotFoundError:
            raise KithError(f"{path}: no such file; run the prepare stage again") from None
        if hashlib.sha256(data).digest() != digest:
            raise KithError(f"{path}: picture {row} is not the one that was stored; run the prepare stage again")
        return data

    def __getitem__(self, rows: int | slice | np.ndarray) -> np.ndarray:
        """A picture (size, size, C), or those of several rows (n, size, size, C)."""
        if isinstance(rows, slice):
            rows = np.arange(len(self))[rows]
        return self._decoded(int(rows)) if np.ndim(rows) == 0 else self.take(np.asarray(rows), cores())

    def take(self, rows: np.ndarray, workers: int) -> np.ndarray:
        """The pictures of rows, (n, size, size, C), decoded by so many threads."""
        found = np.empty((len(rows), *self.shape[1:]), dtype=np.uint8)

        def put(place: int) -> None:
            found[place] = self._decoded(int(rows[place]))

        together(put, len(rows), workers)
        return found

    def parts(self, rows: np.ndarray, side: int, parts: Parts, workers: int) -> np.ndarray:
        """Rectangles of the pictures of rows, (n, side, side, C) uint8, decoded no finer than that needs."""
        found = np.empty((len(rows), side, side, self.shape[-1]), dtype=np.uint8)

        def put(place: int) -> None:
            def box(width: int, height: int) -> Box:
                return parts(place, width, height)

            found[place] = self._named(int(rows[place]), lambda data: decode_part(data, side, box, self.mode))

        together(put, len(rows), workers)
        return found

    def _decoded(self, row: int) -> np.ndarray:
        return self._named(row, lambda data: decode(data, self.size, self.mode, self.fit, self.choices))

    def _named(self, row: int, decode: Callable[[bytes], np.ndarray]) -> np.ndarray:
        data = self.encoded(row)
        try:
            return decode(data)
        except UndecodableImage as error:
            raise KithError(f"{self.folder}: picture {row} cannot be decoded ({error}); run prepare again") from None


def pictures(data: Prepared) -> np.ndarray | Photos | None:
    """The pictures of prepared data, (N, H, W, C) uint8: an array, memory-mapped, or photographs; None for data of
    features. `image_row` says whose a row is."""
    if "store" not in data.dataset:
        return data.images
    path = data.proved(INDEX)
    with reading(path, AGAIN):
        index = np.load(path, mmap_mode="r")
    image = data.dataset["image"]
    mode, choices = "L" if image["channels"] == 1 else "RGB", Conversion.of(image)
    return Photos(data.folder, index, image["height"], mode, image["fit"], choices)

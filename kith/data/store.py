"""The file of pictures: written one by one, read back memory-mapped."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np

from kith.data.depths import PLAIN, Conversion
from kith.data.images import CHANNELS
from kith.data.loader import Loader
from kith.progress import Progress

BLOCK = 1024


class Sink(Protocol):
    """What takes pictures, as its loader brings them or drawn, uint8 of `shape` (size, size, C), and says in which row
    each is."""

    mode: str
    shape: tuple[int, int, int]
    count: int

    def loader(self, root: Path, fit: str) -> Loader: ...

    def append(self, picture: Any) -> int: ...


class Watched:
    """A sink whose pictures are counted as they come, as progress."""

    def __init__(self, sink: Sink, progress: Progress):
        self._sink, self._progress = sink, progress
        self.mode, self.shape = sink.mode, sink.shape

    @property
    def count(self) -> int:
        return self._sink.count

    @count.setter
    def count(self, value: int) -> None:
        self._sink.count = value

    def loader(self, root: Path, fit: str) -> Loader:
        return self._sink.loader(root, fit)

    def append(self, picture: Any) -> int:
        row = self._sink.append(picture)
        self._progress.step()
        return row


class ImageWriter:
    """Appends uint8 pictures (size, size, C) of a mode, L or RGB, to a .npy file of shape (n, size, size, C).

    A picture that is there already is not stored again. The number of pictures need not be known beforehand:
    NumPy leaves room in the header for the first axis to grow, so it is written again at the end. The bytes
    are those of np.save. Use it as a context manager.
    """

    def __init__(self, path: Path, size: int, mode: str, choices: Conversion = PLAIN) -> None:
        self.path = path
        self.choices = choices
        self.mode = mode
        self.shape = (size, size, CHANNELS[mode])
        self.count = 0
        self._rows: dict[bytes, int] = {}

    def __enter__(self) -> "ImageWriter":
        self._file = self.path.open("wb")
        self._write_header()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        with self._file:
            self._file.seek(0)
            self._write_header()

    def loader(self, root: Path, fit: str) -> Loader:
        """Decodes pictures to the writer's size and mode."""
        return Loader(root, self.shape[0], self.mode, fit, choices=self.choices)

    def append(self, picture: np.ndarray) -> int:
        """The row of `picture`, which is written unless an equal one was."""
        if picture.shape != self.shape or picture.dtype != np.uint8:
            raise ValueError(f"picture is {picture.dtype} {picture.shape}, expected uint8 {self.shape}")
        data = picture.tobytes()
        row = self._rows.setdefault(hashlib.sha256(data).digest(), self.count)
        if row == self.count:
            self._file.write(data)
            self.count += 1
        return row

    def _write_header(self) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": (self.count, *self.shape)}
        np.lib.format.write_array_header_1_0(self._file, header)


def moments(images: Any, rows: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel, in 0…1, over the pictures `rows` of `images`, an array
    (N, H, W, C), or photographs that are indexed like one.

    Read in blocks and counted per grey level, so exact whatever the block size. A channel that is the same everywhere
    has the deviation 1: divided by it, it stays as it is. No rows: mean 0, deviation 1.

    >>> moments(np.full((2, 4, 4, 1), 255, dtype=np.uint8), np.array([0, 1]))
    ([1.0], [1.0])
    """
    channels = images.shape[-1]
    if not len(rows):
        return [0.0] * channels, [1.0] * channels
    counts = np.zeros((channels, 256), dtype=np.int64)
    for block in _blocks(images, rows):
        for channel in range(channels):
            counts[channel] += np.bincount(block[..., channel].ravel(), minlength=256)
    levels = np.arange(256) / 255.0
    shares = counts / counts.sum(axis=1, keepdims=True)
    mean = shares @ levels
    std = np.sqrt((shares * (levels - mean[:, None]) ** 2).sum(axis=1))
    std[(counts > 0).sum(axis=1) == 1] = 1.0
    return mean.tolist(), std.tolist()


def _blocks(images: Any, rows: np.ndarray) -> Iterator[np.ndarray]:
    per_block = max(1, BLOCK * 32 * 32 // (images.shape[1] * images.shape[2]))
    for start in range(0, len(rows), per_block):
        yield images[rows[start : start + per_block]]

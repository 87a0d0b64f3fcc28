"""Pictures in both stores at once: an array for methods, and as they came, for people to look at."""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from kith.data.loader import Loader
from kith.data.photos import PhotoWriter
from kith.data.shards import INDEX
from kith.data.store import ImageWriter


class Both(NamedTuple):
    pixels: np.ndarray
    encoded: bytes


@dataclass(frozen=True)
class BothLoader(Loader):
    """Brings a picture as methods see it, and as it is shown. photos: the loader of the latter."""

    photos: Loader | None = field(default=None, kw_only=True)

    def of_bytes(self, data: bytes) -> Any:
        assert self.photos is not None
        return Both(super().of_bytes(data), self.photos.of_bytes(data))

    def of_colours(self, pixels: np.ndarray) -> Any:
        assert self.photos is not None
        return Both(super().of_colours(pixels), self.photos.of_colours(pixels))


class ArrayAndPhotos:
    """A sink that is an ImageWriter and a PhotoWriter in one folder. Row i of the index of photographs is of the same
    picture as row i of the array; of pictures that are equal in the array the first is shown."""

    def __init__(self, array: ImageWriter, photos: PhotoWriter) -> None:
        self._array, self._photos = array, photos
        self.mode, self.shape = array.mode, array.shape
        self._places: list[int] = []  # of each row of the array, in the index of photographs

    @property
    def count(self) -> int:
        return self._array.count

    @count.setter
    def count(self, value: int) -> None:
        self._array.count = value

    def __enter__(self) -> "ArrayAndPhotos":
        self._array.__enter__()
        self._photos.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._array.__exit__(kind, error, trace)
        self._photos.__exit__(kind, error, trace)
        if kind is None:
            path = self._photos.folder / INDEX
            np.save(path, np.load(path)[self._places], allow_pickle=False)

    def loader(self, root: Any, fit: str) -> Loader:
        plain = self._array.loader(root, fit)
        return BothLoader(
            **{name: getattr(plain, name) for name in plain.__dataclass_fields__}, photos=self._photos.loader(root, fit)
        )

    def append(self, picture: Both | np.ndarray) -> int:
        """The row of a picture, as the loader brought it or drawn, uint8 of `shape`."""
        both = picture if isinstance(picture, Both) else Both(picture, self._drawn(picture))
        row = self._array.append(both.pixels)
        if row == len(self._places):
            self._places.append(self._photos.append(both.encoded))
        return row

    def _drawn(self, picture: np.ndarray) -> bytes:
        encoded = self._photos.loader(self._photos.folder, "pad").of_colours(picture)
        assert isinstance(encoded, bytes)
        return encoded

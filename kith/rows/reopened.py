"""Arrays in files that another process opens for itself, in the place of a copy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kith.errors import KithError, reading
from kith.store.photos import Photos


@dataclass(frozen=True)
class MappedFile:
    """An .npy file that is opened memory-mapped."""

    path: Path

    def open(self) -> np.ndarray:
        """The array. Raises KithError where it cannot be read."""
        with reading(self.path, "run the same command again"):
            return np.load(self.path, mmap_mode="r")


@dataclass(frozen=True)
class PhotoFiles:
    """Photographs in their shards; index: of these; settings: the other arguments of `Photos`."""

    folder: Path
    index: MappedFile
    settings: tuple[Any, ...]

    def open(self) -> Photos:
        return Photos(self.folder, self.index.open(), *self.settings)


def files_of(array: np.ndarray | Photos) -> MappedFile | PhotoFiles:
    """What another process opens as this array, which is memory-mapped, or photographs whose index is.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "array.npy")
    >>> np.save(path, np.arange(3))
    >>> files_of(np.load(path, mmap_mode="r")).open()
    memmap([0, 1, 2])
    """
    if isinstance(array, Photos):
        settings = (array.size, array.mode, array.fit, array.choices)
        return PhotoFiles(array.folder.absolute(), _mapped(array.index), settings)
    return _mapped(array)


def _mapped(array: np.ndarray) -> MappedFile:
    name = getattr(array, "filename", None)
    assert name is not None, "only what is memory-mapped can be opened by several processes"
    return MappedFile(Path(name))


def prove(expected: np.ndarray, read: np.ndarray, name: str) -> None:
    """Raise KithError unless a process has read the rows that it was to read, by their keys (b,)."""
    if not np.array_equal(expected, read):
        raise KithError(
            f"{name}: a process has read other rows than it was to read; the data were changed meanwhile: "
            "give the same command again"
        )

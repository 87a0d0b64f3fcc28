"""Vectors of rows that are kept by what is in the rows: a few large files, each written once, in one folder.

A file holds some thousand rows: the SHA-256 of what is in each, and its vector. Files are named by their content and
appear whole, so several processes may write at once; whoever finds one damaged sets it aside.
"""

import contextlib
import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from kith.rows import npz

KEY = np.dtype("S32")  # a SHA-256; compares as bytes, all of one length
FILES = "rows-*.npz"
GB = 10**9
MOST = 20 * GB  # of all that is kept

log = logging.getLogger(__name__)


def keys_of(digests: Sequence[bytes]) -> np.ndarray:
    """(n,) keys of rows whose SHA-256 are given.

    >>> keys_of([b"a" * 32, b"b" * 32]).shape
    (2,)
    """
    return np.frombuffer(b"".join(digests), dtype=KEY)


class RowMemory(Protocol):
    """What knows the vectors of some rows by what is in the rows."""

    def found(self, keys: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Places in `keys` (n,), all different, and the vectors (m, …) that are known of them; no place twice."""

    def keep(self, keys: np.ndarray, vectors: np.ndarray) -> None:
        """Know these too."""


class KeptRows:
    """The vectors in `folder`: of `shape` each, of this dtype. The folder's name has to say all that decides them but
    the row itself.

    >>> import tempfile
    >>> kept = KeptRows(Path(tempfile.mkdtemp(), "of_an_encoder"), (2,), np.float32)
    >>> first, other = (hashlib.sha256(content).digest() for content in (b"a red cross", b"a blue bar"))
    >>> kept.keep(keys_of([first]), np.ones((1, 2), dtype=np.float32))
    >>> [(places.tolist(), vectors.tolist()) for places, vectors in kept.found(keys_of([other, first]))]
    [([1], [[1.0, 1.0]])]
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], dtype: type[np.generic]):
        self.folder, self.shape, self.dtype = folder, shape, np.dtype(dtype)

    def found(self, keys: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Places in `keys` (n,), all different, and the vectors (m, *shape) that are kept of them, file by file; no
        place comes twice. One file at a time is in memory."""
        order = np.argsort(keys)
        ordered, missing = keys[order], np.ones(len(keys), dtype=bool)
        for path in sorted(self.folder.glob(FILES)):
            if not missing.any():
                return
            if (read := self._read(path, ordered, missing)) is not None:
                at, vectors = read
                missing[at] = False
                yield order[at], vectors

    def keep(self, keys: np.ndarray, vectors: np.ndarray) -> None:
        """Write a file of these rows: keys (n,), all different, and vectors (n, *shape). Where the folder cannot be
        written, one line says so, and they are not kept."""
        stored = np.ascontiguousarray(keys, dtype=KEY).view(np.uint8).reshape(len(keys), KEY.itemsize)
        vectors = np.ascontiguousarray(vectors, dtype=self.dtype)
        path = self.folder / f"rows-{hashlib.sha256(stored.tobytes() + vectors.tobytes()).hexdigest()[:32]}.npz"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            npz.write(path, keys=stored, vectors=vectors)
        except OSError as error:
            log.warning("%s: %s rows are not kept for the next time (%s)", path, len(keys), error.strerror or error)

    def _read(self, path: Path, ordered: np.ndarray, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Places in the `ordered` keys of those `missing` that a file has, and their vectors."""
        try:
            with np.load(path) as arrays:  # whose checksums are those of the zip format
                stored = np.ascontiguousarray(arrays["keys"]).view(KEY).ravel()
                at = np.minimum(np.searchsorted(ordered, stored), len(ordered) - 1)
                rows = np.flatnonzero((ordered[at] == stored) & missing[at])
                if not len(rows):
                    return None
                vectors = arrays["vectors"]
            if vectors.shape != (len(stored), *self.shape) or vectors.dtype != self.dtype:
                raise ValueError(f"holds {vectors.shape} {vectors.dtype}")
            with contextlib.suppress(OSError):
                os.utime(path)  # what is used last is kept longest
            return at[rows], vectors[rows]
        except FileNotFoundError:  # taken away since it was listed
            return None
        except Exception as error:  # whatever is wrong with it, its rows are made again
            self._set_aside(path, error)
            return None

    def _set_aside(self, path: Path, error: Exception) -> None:
        aside = path.with_suffix(".damaged")
        with contextlib.suppress(OSError):
            os.replace(path, aside)
        log.warning("%s: is damaged (%s); set aside as %s, its rows are made again", path, error, aside.name)


class Keeper:
    """Keeps rows as they are made: AT_ONCE a file, and what is left when the block ends, also where that fails."""

    AT_ONCE = 2048  # rows; a kill loses no more

    def __init__(self, kept: RowMemory):
        self.kept = kept
        self._keys: list[np.ndarray] = []
        self._vectors: list[np.ndarray] = []

    def __enter__(self) -> "Keeper":
        return self

    def __exit__(self, *raised: object) -> None:
        self._write()

    def add(self, keys: np.ndarray, vectors: np.ndarray) -> None:
        """Rows that are not kept yet: keys (n,), all different, and vectors (n, *shape)."""
        self._keys.append(keys)
        self._vectors.append(vectors)
        if sum(map(len, self._keys)) >= self.AT_ONCE:
            self._write()

    def _write(self) -> None:
        if self._keys:
            self.kept.keep(np.concatenate(self._keys), np.concatenate(self._vectors))
            self._keys, self._vectors = [], []


def trim(root: Path, most: int = MOST) -> int:
    """Remove the files below `root` that were used least lately, until all have at most so many bytes; returns how many
    were removed. Who reads one at that moment makes its rows again."""
    files = []
    for path in root.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file():
                files.append((path.stat().st_mtime_ns, path, path.stat().st_size))
    total, removed = sum(size for _, _, size in files), 0
    for _, path, size in sorted(files):
        if total <= most:
            break
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        total, removed = total - size, removed + 1
    return removed

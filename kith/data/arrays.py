"""Two views as arrays, one row an item in each, from an .npz file, a folder of .npy files, or a Parquet table."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kith.data.items import ITEMS, Dataset
from kith.data.labels import numbered
from kith.errors import KithError

SIDES = ("image", "text")
BLOCK = 1 << 22  # numbers that are looked at together

READING = (OSError, ValueError, AttributeError, zipfile.BadZipFile, pa.ArrowException)  # what faulty files raise

Scaling = Literal["standard", "max", "none"]


class Arrays:
    """The named arrays of an .npz file, of the .npy files in a folder, which are memory-mapped, or the columns of
    a Parquet file, where lists (of lists) of one length are the rows of a view."""

    def __init__(self, path: Path):
        self.path = path
        self._file: Any = None
        try:
            if path.is_dir():
                self.names = sorted(each.stem for each in path.glob("*.npy"))
            elif path.suffix == ".parquet":
                self._file = pq.ParquetFile(path)
                self.names = sorted(self._file.schema_arrow.names)
            else:
                self._file = np.load(path, allow_pickle=False)
                self.names = sorted(self._file.files)
        except READING as error:
            raise KithError(
                f"{path}: cannot be read ({error}); expected an .npz file, a folder of .npy files or a .parquet file"
            ) from None

    def __getitem__(self, name: str) -> np.ndarray:
        """The array `name`. Raises KithError where it is missing, or holds objects."""
        if name not in self.names:
            raise KithError(f"{self.path}: no array '{name}'; there are: {', '.join(self.names) or 'none'}")
        try:
            if self._file is None:
                return np.load(self.path / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            if isinstance(self._file, pq.ParquetFile):
                return _column(self._file.read([name])[name].combine_chunks())
            return self._file[name]
        except READING as error:
            raise KithError(
                f"{self.path}: array '{name}' cannot be read ({error}); save plain numbers, rows of one length"
            ) from None

    def features(self, name: str) -> np.ndarray:
        """The array `name` as a view: numbers, (n, d) or maps (n, h, w) or (n, channels, h, w), with rows."""
        array = self[name]
        if array.dtype.kind not in "fiub" or array.ndim not in (2, 3, 4) or not array.size:
            raise KithError(
                f"{self.path}: array '{name}' is {array.dtype} {array.shape}; a view is numbers of shape (n, d), "
                "(n, height, width) or (n, channels, height, width)"
            )
        return array

    def column(self, name: str, length: int) -> np.ndarray:
        """The array `name`, one value for each of `length` items."""
        array = self[name]
        if array.shape != (length,):
            raise KithError(f"{self.path}: array '{name}' has the shape {array.shape}, expected ({length},)")
        return array


@dataclass(frozen=True)
class Feature:
    """One view of all items: rows of one array after another. parts: (array's name, array, rows of it)."""

    parts: list[tuple[str, np.ndarray, np.ndarray]]

    def __len__(self) -> int:
        return sum(len(rows) for _, _, rows in self.parts)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one item; a map without channels gets one."""
        shape = self.parts[0][1].shape[1:]
        return (1, *shape) if len(shape) == 2 else shape

    def blocks(self) -> Iterator[np.ndarray]:
        """float32 blocks (b, *shape). Raises KithError for values that are not finite."""
        step = max(1, BLOCK // int(np.prod(self.shape)))
        for name, array, rows in self.parts:
            for start in range(0, len(rows), step):
                chosen = rows[start : start + step]
                block = np.asarray(array[chosen], dtype=np.float32)
                bad = np.flatnonzero(~np.isfinite(block.reshape(len(block), -1)).all(axis=1))
                if len(bad):
                    raise KithError(f"array '{name}': row {chosen[bad[0]]} is not finite; mend it or leave it out")
                yield block.reshape(len(block), *self.shape)


@dataclass(frozen=True)
class TwoViews:
    """What a source of arrays hands over: items, and a Feature of each side, image and text, in their order."""

    dataset: Dataset
    features: dict[str, Feature]


def write(path: Path, feature: Feature) -> np.ndarray:
    """Write all rows to a .npy file, block by block; returns it memory-mapped, (n, *shape) float32."""
    shape = (len(feature), *feature.shape)
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    start = 0
    for block in feature.blocks():
        array[start : start + len(block)] = block
        start += len(block)
    array.flush()
    return array


def scaling(array: np.ndarray, rows: np.ndarray, how: Scaling) -> dict[str, Any]:
    """What a model subtracts and divides by, from the training rows alone: {"shape", "shift", "scale"}.

    standard: mean and standard deviation, of each dimension of vectors, of all numbers of maps; a constant one
    is divided by 1. max: the largest absolute value. Computed in blocks, in float64.

    >>> scaling(np.array([[0.0, 2.0], [2.0, 2.0]]), np.array([0, 1]), "max")
    {'shape': [2], 'shift': 0.0, 'scale': 2.0}
    """
    shape = array.shape[1:]
    step = max(1, BLOCK // int(np.prod(shape)))
    blocks = [rows[start : start + step] for start in range(0, len(rows), step)]
    shift, scale = np.zeros(()), np.ones(())
    if how == "max":
        scale = np.array(max(float(np.abs(array[block]).max()) for block in blocks))
    if how == "standard":
        axes = (0,) if len(shape) == 1 else None
        total = sum(array[block].sum(axis=axes, dtype=np.float64) for block in blocks)
        count = len(rows) * (1 if axes else int(np.prod(shape)))
        shift = np.asarray(total / count)
        squares = sum(np.square(array[block].astype(np.float64) - shift).sum(axis=axes) for block in blocks)
        scale = np.asarray(np.sqrt(squares / count))
    scale = np.where(scale > 1e-12, scale, 1.0)
    return {"shape": list(shape), "shift": shift.tolist(), "scale": scale.tolist()}


def _column(column: pa.Array) -> np.ndarray:
    """A Parquet column as an array: lists, all of one length, become a dimension each."""
    shape = [len(column)]
    while (
        pa.types.is_list(column.type) or pa.types.is_large_list(column.type) or pa.types.is_fixed_size_list(column.type)
    ):
        lengths = pc.unique(pc.list_value_length(column)).to_pylist()
        if len(lengths) != 1 or lengths[0] is None:
            raise ValueError(f"its lists have the lengths {', '.join(map(str, lengths[:5]))}")
        shape, column = [*shape, lengths[0]], pc.list_flatten(column)
    if column.null_count:
        raise ValueError(f"it has {column.null_count:,} empty values")
    return column.to_numpy(zero_copy_only=False).reshape(shape)


def same_rows(path: Path, views: dict[str, np.ndarray]) -> int:
    """The number of rows, which all `views` (array's name → array) have. Raises KithError where they differ.

    >>> same_rows(Path("views.npz"), {"image": np.zeros((3, 2)), "text": np.zeros((3, 5))})
    3
    """
    counts = {name: len(view) for name, view in views.items()}
    if len(set(counts.values())) > 1:
        told = " and ".join(f"'{name}' {count:,}" for name, count in counts.items())
        raise KithError(f"{path}: two views need one row an item each; there are {told} rows")
    return next(iter(counts.values()))


def described(
    ids: list[str],
    split: list[str],
    groups: list[str] | None = None,
    texts: list[list[str]] | None = None,
    label: list[Any] | None = None,
) -> Dataset:
    """Items whose views are in the rows of the same number. By default each is a group of its own, without texts and
    label."""
    groups, texts, label = groups or ids, texts or [[] for _ in ids], label or [None] * len(ids)
    labels, names = numbered(label)
    columns = [ids, split, labels, names, texts, groups, range(len(ids))]
    return Dataset(pa.table(dict(zip(ITEMS.names, columns, strict=True)), schema=ITEMS))

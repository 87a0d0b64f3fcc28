"""A set of vectors, with what is known of each: its id, its class, what it belongs to."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kith.codes import sign_codes, unpack
from kith.data.labels import whole, word
from kith.errors import KithError, listed
from kith.metrics.relevance import as_sets

JOINT = "\x1f"  # stands between several labels of a row: no text has it


@dataclass(frozen=True)
class VectorSet:
    """n vectors of one file.

    name: of the file, with the array or column where one was chosen. vectors: (n, d) float32 or float64, or int8 ±1
    where they are `coded`. ids, labels, groups, splits: (n,) str, or None where the file has none; an empty label is
    an unknown one, and several of a row are joined (see `words`). left_out: ids of the rows of the file that have no
    vector, but a problem instead, as `kith embed` writes it.

    >>> found = VectorSet("a.npz", np.eye(2), False, ids=np.array(["x", "y"]))
    >>> found.place(1), len(found[np.array([True, False])])
    ("a.npz: row 1 (id 'y')", 1)
    """

    name: str
    vectors: np.ndarray
    coded: bool
    ids: np.ndarray | None = None
    labels: np.ndarray | None = None
    groups: np.ndarray | None = None
    splits: np.ndarray | None = None
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, chosen: np.ndarray) -> "VectorSet":
        told = {name: getattr(self, name) for name in ("ids", "labels", "groups", "splits")}
        kept: dict[str, Any] = {name: None if each is None else each[chosen] for name, each in told.items()}
        return replace(self, vectors=self.vectors[chosen], **kept)

    def place(self, row: int) -> str:
        """Where a row is, for messages."""
        known = "" if self.ids is None else f" (id '{self.ids[row]}')"
        return f"{self.name}: row {row}{known}"

    @property
    def comparable(self) -> np.ndarray:
        """(n, d or more) floats, whose cosines are in the order of the vectors'. Codes get bits that all share, up to a
        power of four: then cosines are exact, and codes at the same Hamming distance tie.

        >>> VectorSet("a.npy", np.array([[1, -1]], dtype=np.int8), coded=True).comparable.tolist()
        [[1.0, -1.0, 1.0, 1.0]]
        """
        if not self.coded:
            return self.vectors
        bits = self.vectors.shape[1]
        length = 4 ** math.ceil(math.log(bits, 4) - 1e-9)
        return np.pad(self.vectors, ((0, 0), (0, length - bits)), constant_values=1).astype(np.float64)

    def of_split(self, split: str | None) -> "VectorSet":
        """The vectors of one split; None: all, which then may not be of several.

        Raises KithError that names the splits where one has to be chosen, or is not there.
        """
        if self.splits is None:
            return self
        there = sorted(set(self.splits.tolist()))
        if split is None and len(there) > 1:
            raise KithError(f"{self.name}: holds the splits {listed(there)}; choose one, such as --split {there[0]}")
        if split is not None and split not in there:
            raise KithError(f"{self.name}: has no split '{split}'; it holds {listed(there)}")
        return self if split is None else self[self.splits == split]

    def unique_ids(self, why: str) -> np.ndarray:
        """The ids. Raises KithError where there are none, or one stands twice; why: what they are needed for."""
        if self.ids is None:
            raise KithError(f"{self.name}: has no ids, {why}; give an .npz file with ids, or a Parquet table")
        first: dict[str, int] = {}
        for row, each in enumerate(self.ids.tolist()):
            if first.setdefault(each, row) != row:
                raise KithError(f"{self.place(row)}: row {first[each]} has the same id; {why}, each has to be unique")
        return self.ids


def checked(name: str, array: Any, binary: bool, **told: np.ndarray | None) -> VectorSet:
    """The set of an (n, d) array of numbers or truth values, and of the (n,) words that are told of its rows.

    Truth values and int8 ±1 are binary codes. binary: so is anything else: whole numbers of two values, bytes of packed
    bits (the first bit lowest), and the signs of other numbers. Raises KithError that names the row for what is not
    finite, and for shapes that do not fit.

    >>> checked("a.npy", np.array([[True, False]]), binary=False).vectors.tolist()
    [[1, -1]]
    >>> checked("a.npy", np.array([[0.5, -2.0]]), binary=True).vectors.tolist()
    [[1, -1]]
    """
    array = np.asarray(array)
    if array.ndim != 2 or array.dtype.kind not in "biuf" or not array.size:
        raise KithError(f"{name}: expected (n, d) numbers, one row a vector, not {array.dtype} of {array.shape}")
    vectors, coded = _numbers(array, binary)
    fields: dict[str, Any] = dict(told)
    found = VectorSet(name, vectors, coded, **fields)
    for field, values in told.items():
        if values is not None and len(values) != len(array):
            raise KithError(f"{name}: has {len(array)} vectors, but {len(values)} {field}")
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        raise KithError(f"{found.place(bad[0])}: is not finite ({len(bad)} such rows); leave it out, or mend it")
    return found


def _numbers(array: np.ndarray, binary: bool) -> tuple[np.ndarray, bool]:
    """Floats as they are, or codes ±1; and which of these it is."""
    signs = array.dtype.kind in "bi" and np.isin(array, (-1, 1)).all()
    if array.dtype == bool or (array.dtype.kind in "iu" and binary and np.isin(array, (0, 1)).all()):
        return (array.astype(np.int8) * 2 - 1).astype(np.int8), True
    if signs and (binary or array.dtype == np.int8):
        return array.astype(np.int8), True
    if binary and array.dtype in (np.uint8, np.uint64):
        return unpack(array, 8 * array.dtype.itemsize * array.shape[1]), True
    if binary:
        return sign_codes(np.nan_to_num(array)), True
    return array if array.dtype in (np.float32, np.float64) else array.astype(_float(array)), False


def _float(array: np.ndarray) -> type:
    return np.float32 if array.dtype == np.float16 else np.float64


def words(values: Iterable[Any]) -> np.ndarray:
    """(n,) str as Kith writes ids and labels: 3.0 is 3 where all are whole numbers; nothing is empty. Several labels of
    a row, a list, are joined by JOINT, each once and sorted; −1 in a list is none.

    >>> words([3.0, None, "4"]).tolist(), words([["sky", "dog", "sky"], [], [-1]]).tolist()
    (['3', '', '4'], ['dog\\x1fsky', '', ''])
    """
    found = [_word(each) for each in values]
    same = whole(found)
    return np.array([same.get(each, each) for each in found], dtype=np.str_)


def hot_words(hot: np.ndarray) -> np.ndarray:
    """`words` of an (n, C) array of truth values or 0 and 1, whose columns are labels, called by their places.

    >>> hot_words(np.array([[1, 1], [0, 1]])).tolist()
    ['0\\x1f1', '1']
    """
    return words(np.flatnonzero(row).tolist() for row in as_sets("labels", hot))


def _word(value: Any) -> str:
    if isinstance(value, list | tuple | np.ndarray):
        return JOINT.join(sorted({_word(each) for each in value} - {"", "-1"}))
    return word(value.item() if isinstance(value, np.generic) else value)

"""Indexes as files for other programs, of FAISS or USearch, with the ids of their items beside them."""

import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

from kith.codes import pack, sign_codes
from kith.errors import KithError, reading
from kith.indexes.faiss import INSTALL, FaissIndex, library
from kith.indexes.index import MISSING
from kith.indexes.kinds import build
from kith.similarity import unit_rows
from kith.store.prepared import Prepared
from kith.store.provenance import proved

Format = Literal["faiss", "usearch"]
AGAIN = "export it again"
OF_FORMAT = {"faiss": ("float32", "float16", "int8", "pq", "hnsw", "signs"), "usearch": ("hnsw", "signs")}


def write_index(
    vectors: np.ndarray, ids: Sequence[str], path: Path, form: Format, kind: str, learn: np.ndarray | None = None
) -> dict[str, Any]:
    """Write an index of vectors (n, d) to `path`, in the format of one of the libraries; return what to note of it.

    ids: (n,) of the items of the vectors, in their order, which are the numbers that the index gives. kind: of
    `kith.indexes`: float32, float16, int8, pq16, hnsw or signs in FAISS; hnsw or signs in USearch. learn: as of
    `build`. Raises KithError for a kind that the library does not have, and where it is not installed.
    """
    if len(vectors) != len(ids):
        raise KithError(f"{len(vectors)} vectors cannot have {len(ids)} ids, one each")
    known = OF_FORMAT[form]
    if re.sub(r"^pq\d+$", "pq", kind) not in known:
        raise KithError(f"{form} files hold {', '.join(known)}, not '{kind}'")
    unit = unit_rows(np.asarray(vectors, dtype=np.float32))
    (_faiss if form == "faiss" else _usearch)(unit, path, kind, learn)
    compared = "Hamming distance" if kind == "signs" else "inner product" if form == "faiss" else "1 − cosine"
    return {"kind": kind, "dim": unit.shape[1], "compared_by": compared, "ids": list(ids)}


class Exported:
    """An index that `kith export` has written, and the ids of its items.

    path: the file; the note beside it ends in .json. data: the prepared data that it has to be of.
    Raises KithError where one of them is missing, is another file than was written, or is of other data.
    """

    def __init__(self, path: Path, data: Prepared | str):
        self.note = proved(path.with_suffix(".json"), [path], "export", data=data)
        self.ids = np.array(self.note["ids"], dtype=object)
        self.kind, self.dim = self.note["kind"], self.note["dim"]
        with reading(path, AGAIN):
            self._index = _read_faiss(path, self.kind) if path.suffix == ".faiss" else _read_usearch(path)
        held = self._index.ntotal if path.suffix == ".faiss" else len(self._index)
        if held != len(self.ids):
            raise KithError(f"{path}: holds {held} vectors, and there are {len(self.ids)} ids; {AGAIN}")
        self._of_faiss = path.suffix == ".faiss"

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest of each query (m, dim): ids (m, k), nearest first, and cosines (m, k).

        Those of codes are 1 − 2 · distance / bits. Where a graph finds fewer than k, id None and −inf."""
        unit = unit_rows(np.asarray(queries, dtype=np.float32), "queries")
        if unit.shape[1] != self.dim:
            raise KithError(f"queries: rows of {unit.shape[1]} numbers, but the index has vectors of {self.dim}")
        asked = pack(sign_codes(unit), np.uint8) if self.kind == "signs" else unit
        k = min(k, len(self.ids))
        if self._of_faiss:
            values, rows = self._index.search(asked, k)
            there = rows != MISSING
        else:
            found = self._index.search(asked, k, threads=1)
            rows, values = (np.atleast_2d(each) for each in (found.keys, found.distances))
            counts: Any = getattr(found, "counts", rows.shape[1])
            there = np.arange(rows.shape[1]) < np.reshape(counts, (-1, 1))
        if self.kind == "signs":
            values = 1 - 2 * values.astype(np.float32) / self.dim
        elif not self._of_faiss:
            values = 1 - values
        ids = self.ids[np.where(there, rows, 0).astype(np.int64)].astype(object)
        ids[~there] = None
        return ids, np.where(there, values, np.float32(-np.inf))


def _faiss(unit: np.ndarray, path: Path, kind: str, learn: np.ndarray | None) -> None:
    faiss = library("--format faiss")
    if kind == "signs":
        binary = faiss.IndexBinaryFlat(8 * -(-unit.shape[1] // 8))
        binary.add(pack(sign_codes(unit), np.uint8))
        faiss.write_index_binary(binary, str(path))
        return
    if kind == "float32":
        inner = faiss.IndexFlatIP(unit.shape[1])
        inner.add(unit)
    else:
        index = build(kind, unit, learn)
        assert isinstance(index, FaissIndex)
        inner = index.inner
    faiss.write_index(inner, str(path))


def _usearch(unit: np.ndarray, path: Path, kind: str, learn: np.ndarray | None) -> None:
    made = _usearch_library().index.Index
    keys = np.arange(len(unit))
    if kind == "signs":
        index = made(ndim=8 * -(-unit.shape[1] // 8), metric="hamming", dtype="b1")
        index.add(keys, pack(sign_codes(unit), np.uint8), threads=1)
    else:
        index = made(ndim=unit.shape[1], metric="cos", dtype="f32")
        index.add(keys, unit, threads=1)
    index.save(str(path))


def _read_faiss(path: Path, kind: str) -> Any:
    faiss = library("a file of FAISS")
    return faiss.read_index_binary(str(path)) if kind == "signs" else faiss.read_index(str(path))


def _read_usearch(path: Path) -> Any:
    found = _usearch_library().index.Index.restore(str(path))
    if found is None:
        raise ValueError("it is no index of USearch")
    return found


def _usearch_library() -> ModuleType:
    try:
        import usearch.index
    except ImportError as error:
        raise KithError(f"--format usearch is of USearch, which cannot be imported ({error}); {INSTALL}") from None
    return usearch

"""Files of vectors: .npz with named arrays, .npy, Parquet as `kith export` and `kith embed` write it, and pickles of
features as cvjena/semantic-embeddings writes them, which are read without running what they hold."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kith.codes import unpack
from kith.errors import KithError, listed, reading
from kith.unpickle import BadPickle, load
from kith.vectors.sets import VectorSet, checked, hot_words, words

MEND = "write it anew"
ENDINGS = ("_vectors", "_vector", "_features", "_embeddings", "_code", "_codes")
FIELDS = {"ids": ("ids", "id"), "labels": ("labels", "label", "label_name"), "groups": ("groups", "group")}
PROBLEM = "problem"  # column that says why a row has no vector
FIELDS |= {"splits": ("splits", "split")}


def parted(name: str) -> tuple[Path, str]:
    """The file that `name` names, and the array or column after its last colon, if it has one: vectors.npz:image.

    >>> parted("vectors.npz:image")
    (PosixPath('vectors.npz'), 'image')
    """
    before, colon, after = name.rpartition(":")
    if not colon or Path(name).exists() or not (Path(before).suffix or Path(before).is_dir()):
        return Path(name), ""
    return Path(before), after


def read(name: str, binary: bool = False) -> VectorSet:
    """The vectors in the file `name`, which may end in a colon and the array or column to take.

    binary: whether all are binary codes, see `kith.vectors.sets.checked`. An .npz file has one (n, d) array, or
    several of which one is named; arrays `ids`, `labels` (n,), or (n, C) of 0 and 1, `groups` and `splits`, maybe with
    the beginning of its name (image_vectors, image_ids), tell of its rows. A Parquet table has a column of lists; its
    columns `id`, `label` or `label_name`, `group` and `split` tell of the rows; a row without a vector whose column
    `problem` says why is left out. A pickle is {id: vector}, or {"feat": either that or an (n, d) array}. A plain
    array, .npy, has no ids.

    Raises KithError that names the file, and the row or array, for what cannot be used.
    """
    path, chosen = parted(name)
    readers: dict[str, Callable[[str, Path, str, bool], VectorSet]]
    readers = {".npz": _npz, ".npy": _npy, ".parquet": _parquet, ".pickle": _pickle, ".pkl": _pickle}
    if not path.is_file():
        raise KithError(f"{path}: no such file")
    if path.suffix.lower() not in readers:
        raise KithError(f"{path}: unknown suffix '{path.suffix}'; vectors are {', '.join(readers)}, or a run's folder")
    with reading(path, MEND):
        return readers[path.suffix.lower()](name, path, chosen, binary)


def _npy(name: str, path: Path, chosen: str, binary: bool) -> VectorSet:
    if chosen:
        raise KithError(f"{path}: is one array, which has no '{chosen}'")
    return checked(name, np.load(path, allow_pickle=False), binary)


def _npz(name: str, path: Path, chosen: str, binary: bool) -> VectorSet:
    with np.load(path, allow_pickle=False) as arrays:
        found = {each: _array(path, arrays, each) for each in arrays.files}
    numbers = {each: array for each, array in found.items() if array.ndim == 2 and array.dtype.kind in "biuf"}
    matrices = [each for each in numbers if not each.endswith(FIELDS["labels"])]
    wanted = _one(path, chosen, list(found), matrices, "(n, d) array of numbers")
    return checked(name, found[wanted], binary, **_fields(path, wanted, found))


def _array(path: Path, arrays: Any, name: str) -> np.ndarray:
    try:
        return arrays[name]
    except ValueError as error:
        if "Object arrays" not in str(error):
            raise
        said = f"array '{name}' holds Python objects, which are not read; save texts as np.array([...], dtype=str)"
        raise KithError(f"{path}: {said}") from None


def _fields(path: Path, wanted: str, found: dict[str, np.ndarray]) -> dict[str, np.ndarray | None]:
    """What is told of the rows of the array `wanted`: by arrays that begin as its name does, else by plain ones."""
    begins = [f"{wanted.removesuffix(ending)}_" for ending in ENDINGS if wanted.endswith(ending)]
    told: dict[str, np.ndarray | None] = {}
    for field, names in FIELDS.items():
        there = [each for begin in (*begins, "") for each in (begin + n for n in names) if each in found]
        array = found[there[0]] if there else None
        if field == "labels" and array is not None and array.ndim == 2 and array.shape[1] > 1:
            told[field] = hot_words(array)
            continue
        if array is not None and array.ndim != 1:
            raise KithError(f"{path}: array '{there[0]}' has the shape {array.shape}; expected (n,), one a row")
        told[field] = None if array is None else words(array)
    return told


def _parquet(name: str, path: Path, chosen: str, binary: bool) -> VectorSet:
    schema = pq.read_schema(path)
    lists = [field.name for field in schema if _of_numbers(field.type) and field.name not in FIELDS["labels"]]
    wanted = _one(path, chosen, schema.names, lists, "column of lists of numbers")
    there = {field: next((n for n in names if n in schema.names), None) for field, names in FIELDS.items()}
    problem = [PROBLEM] if PROBLEM in schema.names else []
    table = pq.read_table(path, columns=[wanted, *filter(None, there.values()), *problem])
    if not table.num_rows:
        raise KithError(f"{path}: has no rows")
    table, left_out = _with_vectors(path, table, wanted, there["ids"])
    told = {f: None if column is None else words(table[column].to_pylist()) for f, column in there.items()}
    array, packed = _matrix(f"{path}: row", table[wanted].combine_chunks(), wanted, told["ids"])
    if packed:
        array = unpack(array, 8 * array.itemsize * array.shape[1])
    return replace(checked(name, array, binary, **told), left_out=left_out)


def _with_vectors(path: Path, table: pa.Table, column: str, ids: str | None) -> tuple[pa.Table, tuple[str, ...]]:
    """The rows with a vector, and the ids of those that have a problem in its place."""
    if PROBLEM not in table.column_names:
        return table, ()
    told = pa.compute.and_(pa.compute.is_null(table[column]), pa.compute.is_valid(table[PROBLEM]))
    left = table.filter(told)
    if left.num_rows == table.num_rows:
        raise KithError(f"{path}: no row of column '{column}' has a vector; its column '{PROBLEM}' says why")
    known = words(left[ids].to_pylist()).tolist() if ids else [""] * left.num_rows
    return table.filter(pa.compute.invert(told)), tuple(known)


def _matrix(where: str, column: Any, name: str, ids: np.ndarray | None) -> tuple[np.ndarray, bool]:
    """The (n, d) array in a column of lists, or of bytes, and which of these it is."""
    lengths, packed = _rows(column)
    for row, length in enumerate(lengths):
        if length != lengths[0] or length is None:
            known = "" if ids is None else f" (id '{ids[row]}')"
            fault = "has no vector" if length is None else f"has {length} numbers in place of {lengths[0]}"
            raise KithError(f"{where} {row}{known}: column '{name}' {fault}; mend the row, or leave it out")
    if packed:
        return np.frombuffer(b"".join(column.to_pylist()), np.uint8).reshape(len(lengths), -1), True
    numbers = column.flatten()
    if numbers.null_count:
        row = numbers.is_null().to_numpy(zero_copy_only=False).argmax() * len(lengths) // len(numbers)
        raise KithError(f"{where} {row}: column '{name}' lacks a number; mend the row, or leave it out")
    return numbers.to_numpy(zero_copy_only=False).reshape(len(lengths), -1), False


def _rows(column: Any) -> tuple[list[int | None], bool]:
    """How many numbers, or bytes, each row has (None: the cell is empty); and whether they are bytes of codes."""
    packed = not _of_numbers(column.type)
    if packed and not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        raise KithError(f"the column holds {column.type}, not lists of numbers")
    counted = pa.compute.binary_length(column) if packed else pa.compute.list_value_length(column)
    return counted.to_pylist(), packed


def _of_numbers(kind: pa.DataType) -> bool:
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(of(kind) for of in lists):
        return False
    numbers = (pa.types.is_floating, pa.types.is_integer, pa.types.is_boolean)
    return any(of(kind.value_type) for of in numbers)


def _one(path: Path, chosen: str, every: Sequence[str], likely: Sequence[str], kind: str) -> str:
    """The array or column that is meant."""
    if chosen:
        for each in (chosen, *(chosen + ending for ending in ENDINGS)):
            if each in every:
                return each
        raise KithError(f"{path}: has no '{chosen}'; it holds {listed(every)}")
    if len(likely) == 1:
        return likely[0]
    if "vector" in likely or "vectors" in likely:
        return "vectors" if "vectors" in likely else "vector"
    if not likely:
        raise KithError(f"{path}: has no {kind}; it holds {listed(every)}")
    raise KithError(f"{path}: holds {listed(likely)}; say which, such as {path}:{likely[0]}")


def _pickle(name: str, path: Path, chosen: str, binary: bool) -> VectorSet:
    try:
        with path.open("rb") as file:
            content = load(file, kinds="biuf")
    except BadPickle as error:
        raise KithError(f"{path}: cannot be read as a pickle: {error}") from None
    key = chosen or "feat"
    if isinstance(content, dict) and (key in content or chosen):
        if key not in content:
            raise KithError(f"{path}: has no '{chosen}'; it holds {listed(list(content))}")
        content = content[key]
    if isinstance(content, np.ndarray):
        return checked(name, content, binary)
    if not isinstance(content, dict) or not content:
        raise KithError(f"{path}: expected {{'feat': (n, d) array}}, or {{id: vector}}, not {type(content).__name__}")
    rows = [np.asarray(each) for each in content.values()]
    for key, row in zip(content, rows, strict=True):
        if row.ndim != 1 or row.shape != rows[0].shape or row.dtype.kind not in "biuf":
            raise KithError(f"{path}: id '{key}': expected a vector of {rows[0].size} numbers, not {row.shape}")
    return checked(name, np.stack(rows), binary, ids=words(content))

"""Reading tables in pieces: Parquet, CSV, TSV and JSONL files as columns of plain Python values."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from kith.errors import KithError

# Rows at a time: few, because each may hold an encoded photograph.
ROWS = 64

Batch = dict[str, list[Any]]


def columns(path: Path) -> list[str]:
    """The names of the columns of the table at `path`; of a JSONL file, all keys that occur.

    Raises KithError for a missing file, an unknown suffix, or content that is not of the suffix's format.
    """
    kind = _kind(path)
    with _readable(path):
        if kind == "parquet":
            return pa.parquet.read_schema(path).names
        if kind == "jsonl":
            return list(dict.fromkeys(key for record in _records(path) for key in record))
        return _open_delimited(path).schema.names


def batches(path: Path, names: Sequence[str]) -> Iterator[Batch]:
    """The columns `names` of the table at `path`, a few rows at a time. CSV and TSV cells are strings."""
    with _readable(path):
        yield from _BATCHES[_kind(path)](path, list(dict.fromkeys(names)))


def count(path: Path) -> int:
    """The number of rows of the table at `path`."""
    kind = _kind(path)
    with _readable(path):
        if kind == "parquet":
            return pa.parquet.read_metadata(path).num_rows
        if kind == "jsonl":
            return sum(1 for _ in _records(path))
        return sum(block.num_rows for block in _open_delimited(path, columns(path)[:1]))


def _kind(path: Path) -> str:
    """parquet, csv, tsv or jsonl; the middle two may be compressed (.csv.gz), which Arrow sees by the name."""
    kind = path.suffix.lower().removeprefix(".")
    if kind == "gz" and (inner := Path(path.stem).suffix.lower().removeprefix(".")) in ("csv", "tsv"):
        kind = inner
    if kind not in _BATCHES:
        raise KithError(f"{path}: unknown suffix '{path.suffix}'; tables are {', '.join('.' + k for k in _BATCHES)}")
    if not path.is_file():
        raise KithError(f"{path}: no such file; mend fetch.path")
    return kind


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise KithError(f"{path}: cannot be read as {_kind(path).upper()}: {error}") from None


def _parquet(path: Path, names: list[str]) -> Iterator[Batch]:
    with pa.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS, columns=names):
            yield batch.to_pydict()


def _delimited(path: Path, names: list[str]) -> Iterator[Batch]:
    for block in _open_delimited(path, names):
        for start in range(0, block.num_rows, ROWS):
            yield block.slice(start, ROWS).to_pydict()


def _open_delimited(path: Path, names: list[str] | None = None) -> pa.csv.CSVStreamingReader:
    # Types are not guessed: a guess from the first block may be wrong for a later one.
    strings = {name: pa.string() for name in names or []}
    return pa.csv.open_csv(
        path,
        parse_options=pa.csv.ParseOptions(delimiter="\t" if _kind(path) == "tsv" else ",", newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(include_columns=names, column_types=strings),
    )


def _jsonl(path: Path, names: list[str]) -> Iterator[Batch]:
    rows: list[dict[str, Any]] = []
    for record in _records(path):
        rows.append(record)
        if len(rows) == ROWS:
            yield {name: [row.get(name) for row in rows] for name in names}
            rows = []
    if rows:
        yield {name: [row.get(name) for row in rows] for name in names}


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """One object a line; blank lines do not count as rows."""
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise KithError(f"{path}: line {number}: not valid JSON: {error}") from None
            if not isinstance(record, dict):
                raise KithError(f"{path}: line {number}: expected an object in braces")
            yield record


_BATCHES: dict[str, Callable[[Path, list[str]], Iterator[Batch]]] = {
    "parquet": _parquet,
    "csv": _delimited,
    "tsv": _delimited,
    "jsonl": _jsonl,
}

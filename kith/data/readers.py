"""Reading tables in pieces: Parquet, CSV, TSV and JSONL files as columns of plain Python values."""

import csv
import gzip
import itertools
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet

from kith.errors import KithError

# Rows at a time: few, because each may hold an encoded photograph.
ROWS = 64
BUFFER = 1 << 20  # bytes of a Parquet column at a time, or else those of a whole row group would be held
SUFFIXES = ("parquet", "csv", "tsv", "jsonl")

Batch = dict[str, list[Any]]
Broken = Callable[[int, str, str], None]  # is told row, place and fault of a row that cannot be read
Record = dict[str, Any]


def columns(path: Path) -> list[str]:
    """The names of the columns of the table at `path`; of a JSONL file, all keys that occur.

    Raises KithError for a missing file, an unknown suffix, or content that is not of the suffix's format.
    """
    kind = _kind(path)
    with _readable(path):
        if kind == "parquet":
            return pa.parquet.read_schema(path).names
        if kind == "jsonl":
            return _keys(path)
        with _text(path) as file:
            return _head(file, path)[1]


def batches(path: Path, names: Sequence[str], broken: Broken | None = None) -> Iterator[Batch]:
    """The columns `names` of the table at `path`, a few rows at a time. CSV and TSV cells are strings.

    Rows are counted from 0. One that cannot be read (a line that is no JSON, too few cells) counts, is left out and
    told to `broken`, before the batch in which it would have been; without `broken` it raises KithError.
    """
    names = list(dict.fromkeys(names))
    with _readable(path):
        if _kind(path) == "parquet":
            yield from _parquet(path, names)
            return
        records = _whole(path, broken)
        while rows := list(itertools.islice(records, ROWS)):
            yield {name: [row.get(name) for row in rows] for name in names}


def count(path: Path) -> int:
    """The number of rows of the table at `path`, broken ones included."""
    with _readable(path):
        if _kind(path) == "parquet":
            return pa.parquet.read_metadata(path).num_rows
        return sum(1 for _ in _records(path))


def _keys(path: Path) -> list[str]:
    """All keys of the objects in a JSONL file; a line without an object is a fault only if there is none at all."""
    keys: dict[str, None] = {}
    fault = ""
    for line, record in _json_lines(path):
        if isinstance(record, dict):
            keys.update(dict.fromkeys(record))
        else:
            fault = fault or f"{path}: line {line}: {record}"
    if fault and not keys:
        raise KithError(fault)
    return list(keys)


def _kind(path: Path) -> str:
    """parquet, csv, tsv or jsonl; all but the first may be compressed (.csv.gz)."""
    kind = path.suffix.lower().removeprefix(".")
    if kind == "gz" and (inner := Path(path.stem).suffix.lower().removeprefix(".")) in SUFFIXES[1:]:
        kind = inner
    if kind not in SUFFIXES:
        raise KithError(f"{path}: unknown suffix '{path.suffix}'; tables are {', '.join('.' + k for k in SUFFIXES)}")
    if not path.is_file():
        raise KithError(f"{path}: no such file; mend fetch.path")
    return kind


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        fault = f"{_undecodable(path) or error}; save it as UTF-8 (iconv -f LATIN1 -t UTF-8 converts, say)"
    except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
        fault = str(error)
    else:
        return
    raise KithError(f"{path}: cannot be read as {_kind(path).upper()}: {fault}")


def _undecodable(path: Path) -> str | None:
    """Where the first byte is that UTF-8 does not know."""
    with _open(path) as lines:
        for number, line in enumerate(lines, start=1):
            if number == 1 and line.startswith((b"\xff\xfe", b"\xfe\xff")):
                return "is UTF-16 text"
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return f"line {number}: byte 0x{line[error.start]:02x} is not UTF-8 text"
    return None


def _open(path: Path) -> BinaryIO:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


@contextmanager
def _text(path: Path) -> Iterator[Any]:
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        yield file


def _parquet(path: Path, names: list[str]) -> Iterator[Batch]:
    with pa.parquet.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False) as file:
        for batch in file.iter_batches(ROWS, columns=names):
            yield batch.to_pydict()


def _whole(path: Path, broken: Broken | None) -> Iterator[Record]:
    for row, (line, record) in enumerate(_records(path)):
        if isinstance(record, dict):
            yield record
        elif broken is None:
            raise KithError(f"{path}: line {line}: {record}")
        else:
            broken(row, f"line {line}", record)


def _records(path: Path) -> Iterator[tuple[int, Record | str]]:
    """(line, row) of each row; in the place of one that cannot be read, what is wrong."""
    return _json_lines(path) if _kind(path) == "jsonl" else _delimited(path)


def _json_lines(path: Path) -> Iterator[tuple[int, Record | str]]:
    """One object a line; blank lines do not count as rows."""
    with _text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    record = json.loads(line)
                except (ValueError, RecursionError) as error:
                    yield number, f"not valid JSON: {error}"
                else:
                    yield number, record if isinstance(record, dict) else "expected an object in braces"


def _delimited(path: Path) -> Iterator[tuple[int, Record | str]]:
    """CSV and TSV by RFC 4180: cells may be quoted, and then have line breaks in them. Blank lines are no rows."""
    with _text(path) as file:
        reader, head = _head(file, path)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, f"cannot be read ({error}); is a quotation mark missing, or one too many?"
                continue
            if len(cells) == len(head):
                yield line, dict(zip(head, cells, strict=True))
            elif cells:
                yield line, _miscounted(cells, head)


def _miscounted(cells: list[str], head: list[str]) -> str:
    return f"has {len(cells)} cells in place of {len(head)}; cells with separators in them need quotation marks"


def _head(file: Any, path: Path) -> tuple[Any, list[str]]:
    """A reader of the rows, and the names of the columns, from the first line."""
    first = file.readline()
    if not first.strip():
        raise KithError(f"{path}: cannot be read as {_kind(path).upper()}: the first line, with the names, is empty")
    separator = _separator(first) if _kind(path) == "csv" else "\t"
    reader = csv.reader(itertools.chain([first], file), delimiter=separator, strict=True)
    try:
        return reader, next(reader)
    except csv.Error as error:
        raise KithError(f"{path}: line 1: cannot be read ({error}); mend the quotation marks") from None


def _separator(head: str) -> str:
    """Of comma, semicolon, tab and bar, the one that the first line has most of outside quotation marks."""
    counts = Counter(re.sub('"[^"]*"', "", head))
    return max(",;\t|", key=lambda separator: counts[separator])

"""Reading tables in pieces: Parquet, CSV, TSV and JSONL files as columns of plain Python values.

A Parquet table may be in parts: all files of a folder, or of a pattern (see kith.data.parts).
"""

import itertools
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from kith.data import encodings, parts
from kith.data.delimited import Delimited
from kith.data.problems import Where
from kith.errors import KithError

# Rows at a time: few, because each may hold an encoded photograph.
ROWS = 64
BUFFER = 1 << 20  # bytes of a Parquet column at a time, or else those of a whole row group would be held
SUFFIXES = ("parquet", "csv", "tsv", "jsonl")
# Of what is the same: a text (.txt) is looked at as a CSV file is, and names its separator by its first line.
ALSO = {"txt": "csv", "tab": "tsv", "ndjson": "jsonl"}
SPLIT = "split"  # the column of what the names of parts say, where they have none of that name
WORKBOOKS = ("xlsx", "xls", "xlsm", "ods")

Broken = Callable[[Where, str], None]  # is told where a row is that cannot be read, and what is wrong with it
Record = dict[str, Any]


class Cells(dict[str, list[Any]]):
    """Columns of a few rows; where: of each row, where it is."""

    def __init__(self, columns: dict[str, list[Any]], where: list[Where]) -> None:
        super().__init__(columns)
        self.where = where

    def rows(self) -> Iterator[tuple[Where, Record]]:
        """Where each row is, and its cells by their columns."""
        cells = zip(*self.values(), strict=True) if self else itertools.repeat((), len(self.where))
        for where, values in zip(self.where, cells, strict=True):
            yield where, dict(zip(self, values, strict=True))


def columns(path: Path) -> list[str]:
    """The names of the columns of the table at `path`; of a JSONL file, all keys that occur.

    Raises KithError for a missing file, an unknown suffix, or content that is not of the suffix's format.
    """
    kind = _kind(path)
    with _readable(path):
        if kind == "parquet":
            return _names(path)
        return _keys(path) if kind == "jsonl" else Delimited(path, kind == "tsv").head


def batches(path: Path, names: Sequence[str], broken: Broken | None = None) -> Iterator[Cells]:
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
        while found := list(itertools.islice(records, ROWS)):
            yield Cells({name: [row.get(name) for _, row in found] for name in names}, [where for where, _ in found])


def count(path: Path) -> int:
    """The number of rows of the table at `path`, broken ones included."""
    with _readable(path):
        if _kind(path) == "parquet":
            return sum(pa.parquet.read_metadata(file).num_rows for file in _files(path))
        return sum(1 for _ in _records(path))


def holds_bytes(path: Path, column: str) -> bool:
    """Whether a column holds encoded pictures alone, as far as it can be told without reading all of it: the first
    hundreds of its cells, where each may be bytes or a path."""
    if _kind(path) != "parquet":
        return False
    with _readable(path):
        schema = pa.parquet.read_schema(_files(path)[0])
        kind = schema.field(column).type if column in schema.names else pa.null()
        if not pa.types.is_struct(kind):
            return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
        cells = itertools.chain.from_iterable(batch[column] for batch in itertools.islice(batches(path, [column]), 8))
        found = [cell for cell in cells if isinstance(cell, dict)]
        return bool(found) and all(cell.get("bytes") for cell in found)


def class_names(path: Path, column: str) -> dict[str, str]:
    """{number: name} of the classes in a column, where the table notes them itself."""
    if _kind(path) != "parquet":
        return {}
    with _readable(path):
        return parts.class_names(_files(path)[0], column)


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
    if parts.is_parted(path):
        return "parquet"
    kind = path.suffix.lower().removeprefix(".")
    if kind == "gz" and (inner := Path(path.stem).suffix.lower().removeprefix(".")) in (*SUFFIXES[1:], *ALSO):
        kind = inner
    kind = ALSO.get(kind, kind)
    if kind in WORKBOOKS:
        raise KithError(f"{path}: is a workbook; {encodings.SHEET}")
    if kind not in SUFFIXES:
        known = ", ".join(f".{each}" for each in (*SUFFIXES, *ALSO))
        advice = "write one object a line into a .jsonl" if kind == "json" else "let its name end in the one that it is"
        raise KithError(f"{path}: unknown suffix '{path.suffix}'; tables are {known}: {advice}")
    if not path.is_file():
        raise KithError(f"{path}: no such file; mend fetch.path")
    return kind


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        fault = encodings.fault(path, error)
    except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
        fault = str(error)
        packed = path.suffix.lower() == ".gz" or not path.is_file()
        start = b"" if packed else encodings.beginning(path)
        if not start.startswith(b"PAR1") and (told := encodings.none(start)):
            raise KithError(f"{path}: {told}") from None
    else:
        return
    raise KithError(f"{path}: cannot be read as {_kind(path).upper()}: {fault}")


def _files(path: Path) -> list[Path]:
    """The Parquet files of a table."""
    return parts.parts(path) if parts.is_parted(path) else [path]


def _names(path: Path) -> list[str]:
    """The columns of a Parquet table; of one in parts, those of the first, which all others have, and the split if it
    is in their names."""
    files = _files(path)
    names: list[str] = pa.parquet.read_schema(files[0]).names
    for file in files[1:]:
        if set(names) != set(other := pa.parquet.read_schema(file).names):
            raise KithError(f"{file}: has the columns {', '.join(other)}; {files[0].name} has {', '.join(names)}")
    return names if SPLIT in names or not parts.splits(files) else [*names, SPLIT]


def _parquet(path: Path, names: list[str]) -> Iterator[Cells]:
    start, files = 0, _files(path)
    told = parts.splits(files) if SPLIT in names and SPLIT not in pa.parquet.read_schema(files[0]).names else []
    wanted = [name for name in names if name != SPLIT] if told else names
    for number, each in enumerate(files):
        with pa.parquet.ParquetFile(each, buffer_size=BUFFER, pre_buffer=False) as file:
            for batch in file.iter_batches(ROWS, columns=wanted):
                columns = batch.to_pydict() | ({SPLIT: [told[number]] * batch.num_rows} if told else {})
                yield Cells(columns, [Where(start + row) for row in range(batch.num_rows)])
                start += batch.num_rows


def _whole(path: Path, broken: Broken | None) -> Iterator[tuple[Where, Record]]:
    """The rows that can be read."""
    for row, (line, record) in enumerate(_records(path)):
        if isinstance(record, dict):
            yield Where(row, line), record
        elif broken is None:
            raise KithError(f"{path}: line {line}: {record}")
        else:
            broken(Where(row, line), record)


def _records(path: Path) -> Iterator[tuple[int, Record | str]]:
    """(line, row) of each row; in the place of one that cannot be read, what is wrong."""
    kind = _kind(path)
    return _json_lines(path) if kind == "jsonl" else Delimited(path, kind == "tsv").rows()


def _json_lines(path: Path) -> Iterator[tuple[int, Record | str]]:
    """One object a line; blank lines do not count as rows."""
    with encodings.text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    record = json.loads(line)
                except (ValueError, RecursionError) as error:
                    listed = line.strip().startswith("[") or line.rstrip().endswith((",", "]"))
                    advice = "; write one object a line, without brackets and commas around them" if listed else ""
                    yield number, f"not valid JSON: {error}{advice}"
                else:
                    hint = ", one a line, and no list around them" if isinstance(record, list) else ""
                    yield number, record if isinstance(record, dict) else f"expected an object in braces{hint}"

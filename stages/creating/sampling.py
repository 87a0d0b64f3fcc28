"""A part of a table that is too large for the time that there is: whole groups, drawn by a hash. Or all of it, with its
texts made shorter."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from kith.data import readers
from kith.data.labels import word
from kith.data.problems import Where
from kith.data.rows import Columns, is_nothing, listed_texts
from kith.errors import KithError
from stages import files

ROWS = 1000  # that are written at a time
PICTURE = pa.struct({"bytes": pa.binary(), "path": pa.string()})  # as Hugging Face's tables have it


class Sampled(NamedTuple):
    """rows: that were written; faulty: those that the reader could not read, with the first one's fault."""

    rows: int
    faulty: int
    fault: str


def sample(
    path: Path, columns: Columns, share: float, out: Path, edit: Callable[[str], str] = lambda text: text
) -> Sampled:
    """Write a share of the rows of the table at `path`, their named columns, to the Parquet file `out`; edit: what
    becomes of each text.

    Rows of one group, or else of one picture's name, are taken or left together; those without one by themselves.
    Rows that cannot be read are left out. Memory: some thousand rows.
    """
    names = list(dict.fromkeys(name for _, name in columns.named()))
    called = readers.class_names(path, columns.label) if columns.label else {}
    written, faults = 0, list[str]()
    with files.replacing(out) as temporary:
        writer: pq.ParquetWriter | None = None
        for rows in _thousands(_kept(path, columns, names, share, faults)):
            table = pa.table({name: _column(name, rows, columns, called, edit) for name in names})
            writer = writer or pq.ParquetWriter(temporary, table.schema, compression="zstd")
            writer.write_table(table.cast(writer.schema))
            written += len(rows)
        if writer is None:
            empty = {name: pa.array([], pa.string()) for name in names}
            pq.write_table(pa.table(empty), temporary)
        else:
            writer.close()
    return Sampled(written, len(faults), faults[0] if faults else "")


def _kept(
    path: Path, columns: Columns, names: list[str], share: float, faults: list[str]
) -> Iterator[Mapping[str, Any]]:
    def noted(where: Where, message: str) -> None:
        faults.append(f"{where}: {message}")

    for batch in readers.batches(path, names, noted):
        for where, cells in batch.rows():
            if _draw(_key(where.row, columns, cells)) < share:
                yield cells


def _key(row: int, columns: Columns, cells: Mapping[str, Any]) -> str:
    """What a row is drawn by; one without a group or picture is a group of its own, as it is in the data set."""
    column = columns.group or columns.image
    key = cells[column] if column else None
    if columns.group:
        key = word(key)
    return key if isinstance(key, str) and not is_nothing(key) else str(row)


def _draw(key: str) -> float:
    """0…1, evenly, of a key."""
    return int.from_bytes(hashlib.blake2b(key.encode(errors="replace"), digest_size=8).digest(), "big") / 2**64


def _thousands(rows: Iterator[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    found: list[Mapping[str, Any]] = []
    for row in rows:
        found.append(row)
        if len(found) == ROWS:
            yield found
            found = []
    if found:
        yield found


def _picture(cell: Any) -> dict[str, Any] | None:
    if cell is None or isinstance(cell, dict):
        return cell and {name: cell.get(name) for name in ("bytes", "path")}
    if not isinstance(cell, bytes | str):
        raise KithError("pictures are no files and no encoded bytes, of which no sample is taken; give more --minutes")
    return {"bytes" if isinstance(cell, bytes) else "path": cell}


def _column(
    name: str,
    rows: list[Mapping[str, Any]],
    columns: Columns,
    called: Mapping[str, str],
    edit: Callable[[str], str],
) -> pa.Array:
    """Pictures as they are, bytes or paths; texts as lists; all else as words, labels by their names. Of one type,
    whatever the cells of these rows are."""
    cells = [row[name] for row in rows]
    alone = [column for _, column in columns.named()].count(name) == 1
    if name == columns.image and alone:  # a name of a picture that is its group or id too is a word
        return pa.array(map(_picture, cells), PICTURE)
    if name in columns.texts:
        texts = [each if isinstance(each, list) else [each] for each in map(listed_texts, cells)]
        return pa.array([[None if t is None else edit(str(t)) for t in each] for each in texts], pa.list_(pa.string()))
    words = [None if each is None else word(each) for each in cells]
    if name == columns.label:
        words = [each if each is None else called.get(each, each) for each in words]
    return pa.array(words, pa.string())

"""Reading a taxonomy: who is whose parent."""

from pathlib import Path

import pyarrow as pa

from kith.data import readers
from kith.data.items import TAXONOMY
from kith.errors import KithError


def read(path: Path) -> pa.Table:
    """The taxonomy (schema TAXONOMY) in the file at `path`, in its order, repeated edges dropped.

    Either a Parquet, CSV, TSV or JSONL table with the columns parent, child and, if wanted, name; or a text
    of two ids a line, parent and child, with white space between them and no head. A node is shown by its
    name, or by its id where it has none.

    Raises KithError that names the file and the row or line.
    """
    if not path.is_file():
        raise KithError(f"{path}: no such file; mend fetch.taxonomy")
    edges = _pairs(path)
    if edges is None:
        edges = _table(path)
    for row, (parent, child, _) in enumerate(edges):
        if not parent or not child:
            raise KithError(f"{path}: row {row}, column '{'child' if parent else 'parent'}': is empty")
        if parent == child:
            raise KithError(f"{path}: row {row}, column 'child': '{child}' is its own parent")
    if not edges:
        raise KithError(f"{path}: has no edges; add some, or leave fetch.taxonomy out")
    columns = zip(*dict.fromkeys(edges), strict=True)
    return pa.table(dict(zip(TAXONOMY.names, columns, strict=True)), schema=TAXONOMY)


Edge = tuple[str, str, str]


def _pairs(path: Path) -> list[Edge] | None:
    """The edges of a text without a head; None if it is a table."""
    if path.suffix.lower() in (".parquet", ".csv", ".jsonl"):
        return None
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise KithError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    if {"parent", "child"} <= set(lines[0].split("\t")):
        return None
    pairs = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if len(words) not in (0, 2):
            raise KithError(
                f"{path}: line {number}: expected two ids, parent and child, or a table with the columns "
                f"parent, child and name; found {len(words)} words"
            )
        pairs.extend([(words[0], words[1], words[1])] if words else [])
    return pairs


def _table(path: Path) -> list[Edge]:
    there = readers.columns(path)
    if missing := {"parent", "child"} - set(there):
        raise KithError(f"{path}: no column '{min(missing)}'; the columns are: {', '.join(there)}")
    names = [name for name in TAXONOMY.names if name in there]
    edges = []
    for batch in readers.batches(path, names):
        for parent, child, *name in zip(*(batch[name] for name in names), strict=True):
            parent, child = _id(parent), _id(child)
            edges.append((parent, child, (_id(name[0]) if name else "") or child))
    return edges


def _id(value: object) -> str:
    return "" if value is None else str(value).strip()

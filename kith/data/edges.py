"""Reading a taxonomy: who is whose parent."""

import gzip
import re
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa

from kith.data import readers
from kith.data.items import TAXONOMY
from kith.data.labels import INTEGER, word
from kith.data.problems import Where
from kith.errors import KithError
from kith.taxonomy.files import read_indented

INDENTED = re.compile(r"^--+ +\S", re.MULTILINE)
Order = Literal["parent-child", "child-parent"]


def read(path: Path, order: Order = "parent-child", names: Mapping[str, str] | None = None) -> pa.Table:
    """The taxonomy (schema TAXONOMY) in the file at `path`, in its order, repeated edges dropped.

    Either a text of two ids a line with white space between them and no head, in the order that `order` says; a text of
    one name a line, indented by two dashes a level and a space, whose classes `names` may call otherwise (id → name);
    or a Parquet, CSV, TSV or JSONL table with the columns parent, child and, if wanted, name. Longer column
    names will do (parent_wnid, child_wnid, child_words): the first that begins with parent or child holds the
    ids, a second one with child the name. Text, CSV and TSV may be compressed (.gz). A node is shown by its
    name in the table, else by the one in `names`, else by its id.

    Raises KithError that names the file and the row or line.
    """
    if not path.is_file():
        raise KithError(f"{path}: no such file; mend fetch.taxonomy")
    if (indented := _indented(path, order, names or {})) is not None:
        return indented
    edges = _pairs(path, order)
    if edges is None:
        edges = _table(path)
    for where, (parent, child, _) in edges:
        if not parent or not child:
            raise KithError(f"{path}: {where}, column '{'child' if parent else 'parent'}': is empty")
        if parent == child:
            raise KithError(f"{path}: {where}, column 'child': '{child}' is its own parent")
    if not edges:
        raise KithError(f"{path}: has no edges; add some, or leave fetch.taxonomy out")
    return table([edge for _, edge in edges], names or {})


Edge = tuple[str, str, str]  # parent, child, and the child's name, empty where the file has none


def table(edges: Sequence[Edge | tuple[str, str]], names: Mapping[str, str]) -> pa.Table:
    """The taxonomy (schema TAXONOMY) of `edges`, (parent, child) or with a name, in their order, repeated ones dropped.
    A node without a name of its own is shown by the one in `names`, else by its id.

    >>> table([("animal", "cat"), ("animal", "dog", "Dog")], {"cat": "Cat"}).column("name").to_pylist()
    ['Cat', 'Dog']
    """
    shown = dict.fromkeys((parent, child, "".join(own) or names.get(child) or child) for parent, child, *own in edges)
    rows = [dict(zip(TAXONOMY.names, edge, strict=True)) for edge in shown]
    return pa.Table.from_pylist(rows, schema=TAXONOMY)


def _indented(path: Path, order: Order, names: Mapping[str, str]) -> pa.Table | None:
    """The taxonomy of a text whose lines are indented by dashes; None of any other file."""
    if _is_table(path) or not INDENTED.search(_text(path)):
        return None
    if order != "parent-child":
        raise KithError(f"{path}: is indented, which says who is whose parent; leave fetch.taxonomy_order out")
    # Whole numbers, so that the inner nodes are numbered on from the last class.
    numbers = all(INTEGER.fullmatch(each) for each in names)
    edges, called = read_indented(path, {int(node) if numbers else node: name for node, name in names.items()} or None)
    shown = {str(node): name for node, name in called.items()}
    return table([(str(parent), str(child)) for parent, child in edges], shown)


def _is_table(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith((".parquet", ".csv", ".jsonl", ".ndjson"))


def _pairs(path: Path, order: Order) -> list[tuple[Where, Edge]] | None:
    """The edges of a text without a head; None if it is a table."""
    if _is_table(path):
        return None
    lines = _text(path).split("\n")
    head = lines[0].rstrip("\r").split("\t")
    if _column(head, "parent") and _column(head, "child"):
        return None
    pairs: list[tuple[Where, Edge]] = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if len(words) not in (0, 2):
            raise KithError(
                f"{path}: line {number}: expected two ids, parent and child, or a table with the columns "
                f"parent, child and name; found {len(words)} words"
            )
        if words:
            parent, child = words if order == "parent-child" else words[::-1]
            pairs.append((Where(len(pairs), number), (parent, child, "")))
    return pairs


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix.lower() == ".gz" else data).decode("utf-8-sig")
        return unicodedata.normalize("NFC", text)  # as labels are
    except UnicodeDecodeError as error:
        raise KithError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise KithError(f"{path}: cannot be unpacked: {error}") from None


def _table(path: Path) -> list[tuple[Where, Edge]]:
    there = readers.columns(path)
    columns = [_column(there, "parent"), _column(there, "child")]
    for field, column in zip(("parent", "child"), columns, strict=True):
        if column is None:
            raise KithError(f"{path}: no column '{field}'; the columns are: {', '.join(there)}")
    columns.append("name" if "name" in there else _column([c for c in there if c != columns[1]], "child"))
    names = [column for column in columns if column is not None]
    edges = []
    for batch in readers.batches(path, names):
        for where, cells in batch.rows():
            parent, child, *name = (word(cells[name]) for name in names)
            edges.append((where, (parent, child, "".join(name))))
    return edges


def _column(names: list[str], field: str) -> str | None:
    """The column called `field`, or else the first whose name begins with it."""
    return field if field in names else next((name for name in names if name.startswith(f"{field}_")), None)

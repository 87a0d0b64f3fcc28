"""What a person has marked in the data: items and texts to leave out, and labels to change."""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO, TypeAlias

import numpy as np
import pyarrow as pa

from kith.data.items import Dataset, has_sets
from kith.data.problems import Problem
from kith.errors import KithError, reading

MARKS = ("keep", "exclude", "relabel")
Pictures: TypeAlias = Any  # (N, H, W, C) uint8, or photographs that are indexed alike (kith.store.photos)


@dataclass(frozen=True)
class Marked:
    """A line of a file of marks. text: the text that is meant, "" for the whole item; label: the new one, or "";
    of: what the item is known by (`known_by`), or ""."""

    id: str
    text: str = ""
    label: str = ""
    line: int = 0
    of: str = ""


def known_by(texts: Sequence[str], pictures: Pictures | None, image_row: int) -> list[str]:
    """What tells an item from those that other rows of a table hold: its texts, and the SHA-256 of its picture.

    pictures: the prepared ones, of which the item's is at `image_row`, −1 for none.

    >>> known_by(["a bar"], None, -1), known_by([], None, -1)
    (['a bar'], [])
    >>> known_by([], np.zeros((1, 2, 2, 1), np.uint8), 0)[0][:16]
    'sha256:df3f61980'
    """
    if pictures is None or image_row < 0:
        return list(texts)
    stored = pictures.encoded(image_row) if hasattr(pictures, "encoded") else np.asarray(pictures[image_row]).tobytes()
    return [*texts, f"sha256:{hashlib.sha256(stored).hexdigest()}"]


def read_marks(path: Path, mark: str) -> list[Marked]:
    """The lines of a CSV file of marks that have this mark, "exclude" or "relabel".

    Columns: id; for relabel label; of exclude maybe text; maybe of, what the item is known by; where there is a column
    mark, lines with another one, or with none, count for nothing. Raises KithError that names file, line and column.
    """
    with reading(path, "mend it, or name another file"), path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(_numbered(file))
    head = [name.strip() for name in rows[0][1]] if rows else []
    needed = ["id"] if mark == "exclude" else ["id", "label"]
    if missing := [name for name in needed if name not in head]:
        raise KithError(f"{path}: no column '{missing[0]}'; its first line names the columns: {','.join(needed)}")
    found = []
    for line, row in rows[1:]:
        if not any(row):
            continue
        if len(row) != len(head):
            raise KithError(f"{path}, line {line}: {len(row)} fields, and the first line has {len(head)} columns")
        named = dict(zip(head, row, strict=True))
        given = named.get("mark", mark)
        if given not in ("", *MARKS):
            raise KithError(f"{path}, line {line}, column 'mark': unknown mark '{given}'; marks are {', '.join(MARKS)}")
        if given == mark:
            if mark == "relabel" and not named["label"]:
                raise KithError(f"{path}, line {line}, column 'label': is empty; name the right label")
            found.append(Marked(named["id"], named.get("text", ""), named.get("label", ""), line, named.get("of", "")))
    return found


def _numbered(file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV file, and the line on which each begins: a text may have several."""
    reader, line = csv.reader(file), 1
    for row in reader:
        yield line, row
        line = reader.line_num + 1


def heed(dataset: Dataset, exclude: Path | None, relabel: Path | None, pictures: Pictures | None = None) -> Dataset:
    """The data set without the items and texts that the file `exclude` names, and with the labels of `relabel`.

    Pictures stay where they are stored. Items that are left out are told in `skipped`. Raises KithError for ids,
    texts and labels that the data do not have, for an item that is given two labels, and where ids are numbers of rows
    and a row has other texts, or another picture, than the marked one had. pictures: those of the items.
    """
    if relabel is not None:
        dataset = _relabelled(dataset, relabel, read_marks(relabel, "relabel"), pictures)
    if exclude is not None:
        dataset = _without(dataset, exclude, read_marks(exclude, "exclude"), pictures)
    return dataset


def _rows(dataset: Dataset, path: Path, marks: Sequence[Marked], pictures: Pictures | None) -> list[int]:
    place = {name: row for row, name in enumerate(dataset.items["id"].to_pylist())}
    for each in marks:
        if each.id not in place:
            raise KithError(f"{path}, line {each.line}: no item has the id '{each.id}'; mend it, or delete the line")
    rows = [place[each.id] for each in marks]
    for row, each in zip(rows, marks, strict=True):
        # The number of a row is there in any table, and in a changed one it is another row's.
        if not each.of or each.id != str(dataset.where(row).row):
            continue
        image_row = dataset.items["image_row"][row].as_py()
        if each.of not in known_by(dataset.items["texts"][row].as_py(), pictures, image_row):
            raise KithError(f"{path}, line {each.line}: {_moved(dataset, each)}")
    return rows


def _moved(dataset: Dataset, mark: Marked) -> str:
    """What is said of a mark whose row is another one now."""
    if mark.of.startswith("sha256:"):
        return (
            f"row {mark.id} of these data has another picture than what was marked: the marks are of other rows, or of "
            "pictures of another size; mark them again, or name a column of ids (fetch.columns.id)"
        )
    having = [row for row, texts in enumerate(dataset.items["texts"].to_pylist()) if mark.of in texts]
    where = f" (row {dataset.where(having[0]).row} has it)" if len(having) == 1 else ""
    return (
        f"what was marked had the text '{mark.of}', and row {mark.id} of these data has not{where}: the marks are of "
        "other rows; mark them again, or name a column of ids (fetch.columns.id)"
    )


def _relabelled(dataset: Dataset, path: Path, marks: Sequence[Marked], pictures: Pictures | None) -> Dataset:
    items = dataset.items
    if has_sets(items):
        raise KithError(f"{path}: items have several labels each, and relabel gives one; mend the labels in the data")
    labels, names = items["label"].to_numpy().copy(), items["label_name"].to_numpy(zero_copy_only=False).copy()
    known = dict(zip(names[labels >= 0].tolist(), labels[labels >= 0].tolist(), strict=True))
    given: dict[int, Marked] = {}
    for row, each in zip(_rows(dataset, path, marks, pictures), marks, strict=True):
        if each.label not in known:
            raise KithError(f"{path}, line {each.line}: no item has the label '{each.label}'; take one that is there")
        before = given.setdefault(row, each)
        if before.label != each.label:
            raise KithError(
                f"{path}, line {each.line}: '{each.id}' gets the label '{each.label}', and '{before.label}' in line "
                f"{before.line}; delete one of them"
            )
        labels[row], names[row] = known[each.label], each.label
    for name, column in (("label", pa.array(labels, pa.int64())), ("label_name", pa.array(names, pa.string()))):
        place = items.schema.get_field_index(name)
        items = items.set_column(place, items.schema.field(name), column)
    return replace(dataset, items=items)


def _without(dataset: Dataset, path: Path, marks: Sequence[Marked], pictures: Pictures | None) -> Dataset:
    items, rows = dataset.items, _rows(dataset, path, marks, pictures)
    texts = items["texts"].to_pylist()
    kept = np.ones(len(items), bool)
    for row, each in zip(rows, marks, strict=True):
        if not each.text:
            kept[row] = False
        elif each.text in texts[row]:
            texts[row] = [text for text in texts[row] if text != each.text]
        elif each.text not in items["texts"][row].as_py():
            raise KithError(f"{path}, line {each.line}: '{each.id}' has no such text; mend it, or delete the line")
    place = items.schema.get_field_index("texts")
    field = items.schema.field("texts")
    whole = items.set_column(place, field, pa.array(texts, field.type))
    numbers = np.flatnonzero(kept)
    left = [
        Problem("excluded", dataset.where(row).row, items["id"][row].as_py(), "", f"by {path}")
        for row in np.flatnonzero(~kept).tolist()
    ]
    rows_of = np.arange(len(items)) if dataset.rows is None else dataset.rows
    return replace(
        dataset,
        items=whole.take(pa.array(numbers)),
        skipped=(*dataset.skipped, *left),
        rows=rows_of[numbers],
        lines=None if dataset.lines is None else dataset.lines[numbers],
    )

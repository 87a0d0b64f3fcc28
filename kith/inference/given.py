"""New pictures and texts as a user has them, a table or a folder of pictures, brought into the form of a model."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kith.data import readers
from kith.data.labels import are_whole, word
from kith.data.labels import whole as whole_numbers
from kith.data.listing import pictures_below
from kith.data.loader import Unusable
from kith.data.problems import Where
from kith.data.rows import is_nothing, of_nothing
from kith.errors import KithError
from kith.inference.raw import RawInputs, Reader

THREADS = min(8, os.cpu_count() or 1)
SIDES = ("image", "text")


class GivenRow(NamedTuple):
    """One row of the input; `cells` has the sides that are read. One that cannot be read at all has none, a `fault`,
    and, where ids are in a column, no id."""

    place: str
    id: str | None
    cells: dict[str, Any]
    fault: str = ""


class GivenSide(NamedTuple):
    """One side of some rows: what the model takes of the rows `good`, and what is wrong with the others. cut: how many
    of its texts are longer than the model reads."""

    arrays: tuple[np.ndarray, ...]
    good: np.ndarray
    faults: dict[int, str]
    cut: int = 0


@dataclass(frozen=True)
class GivenInput:
    """A table (Parquet, CSV, TSV, JSONL) or a folder of pictures; columns: of "id" and of the sides that are read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = Path(folder) / "table.csv"
    ...     _ = table.write_text("id,text" + chr(10) + "a,red fox")
    ...     list(GivenInput(table, {"id": "id", "text": "text"}).rows())
    [GivenRow(place="line 2 (id 'a')", id='a', cells={'text': 'red fox'}, fault='')]
    """

    path: Path
    columns: dict[str, str]

    def rows(self) -> Iterator[GivenRow]:
        """All rows, of which few are in memory. Without an id column the number of the row, from 0, is the id; in a
        folder it is the path of the picture below it. Ids are written as `prepare` writes them: 3.0 is 3."""
        if self.path.is_dir():
            for file in pictures_below(self.path):
                name = file.relative_to(self.path).as_posix()
                yield GivenRow(f"file '{name}'", name, {"image": name})
            return
        broken: list[tuple[Where, str]] = []
        whole = self._whole_ids()
        for batch in readers.batches(self.path, list(self.columns.values()), lambda *fault: broken.append(fault)):
            rows: list[tuple[Where, Any]] = [*batch.rows(), *broken]
            broken.clear()
            yield from (self._row(where, cells, whole) for where, cells in sorted(rows, key=itemgetter(0)))
        yield from (self._row(where, fault, whole) for where, fault in broken)

    def _row(self, where: Where, cells: dict[str, Any] | str, whole: bool) -> GivenRow:
        """Of its cells, or of what is wrong with it. whole: whether ids are whole numbers."""
        if isinstance(cells, str):
            return GivenRow(str(where), None if "id" in self.columns else str(where.row), {}, cells)
        sides = {side: cells[self.columns[side]] for side in SIDES if side in self.columns}
        if "id" not in self.columns:
            return GivenRow(str(where), str(where.row), sides)
        name = word(cells[self.columns["id"]])
        name = whole_numbers([name]).get(name, name) if whole else name
        return GivenRow(f"{where} (id '{name}')", name, sides)

    def _whole_ids(self) -> bool:
        """Whether all ids are whole numbers, some of them with a point."""
        if "id" not in self.columns:
            return False
        column, pointed = self.columns["id"], False
        for batch in readers.batches(self.path, [column], lambda *_: None):
            words = [word(cell) for cell in batch[column]]
            pointed = pointed or bool(whole_numbers(words))
            if not are_whole(words):
                return False
        return pointed

    def fault(self, side: str, message: str) -> str:
        """What is wrong with a cell; the pictures of a folder are in no column."""
        return message if self.path.is_dir() else f"column '{self.columns[side]}': {message}"

    @property
    def sides(self) -> list[str]:
        return [side for side in SIDES if side in self.columns]


def source(path: Path, asked: dict[str, str | None], known: list[str]) -> GivenInput:
    """The rows of `path`.

    asked: columns of id, image and text; what is not asked for is the column of that name, if there is one. known: the
    sides that the model has. Raises KithError for a path or column that is not there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = Path(folder) / "table.csv"
    ...     _ = table.write_text("id,caption" + chr(10) + "a,red fox")
    ...     source(table, {"id": None, "image": None, "text": "caption"}, known=["image", "text"]).columns
    {'id': 'id', 'text': 'caption'}
    """
    if path.is_dir():
        if given := [f"--{name}" for name, column in asked.items() if column]:
            raise KithError(f"{path}: is a folder of pictures, which has no columns; leave out {', '.join(given)}")
        return GivenInput(path, {"image": ""})
    if not path.exists():
        raise KithError(f"{path}: no such file or folder; --input is a table or a folder of pictures")
    there = readers.columns(path)
    columns = {}
    for name, column in asked.items():
        if column is not None and column not in there:
            raise KithError(f"{path}: no column '{column}' (--{name}); the columns are: {', '.join(there)}")
        if column is not None and name in SIDES and name not in known:
            raise KithError(f"--{name} {column}: this model was trained without a {name} side; leave it out")
        if column is not None or (name in there and name in ("id", *known)):
            columns[name] = column or name
    # Whoever names one side means that one alone.
    named = [side for side in SIDES if asked.get(side)]
    columns = {name: column for name, column in columns.items() if name == "id" or not named or name in named}
    if not set(columns) & set(SIDES):
        flags = " or ".join(f"--{side}" for side in known)
        raise KithError(f"{path}: say with {flags} which column to read; the columns are: {', '.join(there)}")
    return GivenInput(path, columns)


def read(side: str, rows: list[GivenRow], read_cell: Reader, raw: RawInputs) -> GivenSide:
    """A side of some rows, by the reader of `raw` for it; pictures are decoded in parallel. Rows that cannot be read at
    all are not good, and no fault of the side.

    >>> from kith.text.tokens import Vocabulary
    >>> raw = RawInputs({"text": {}}, Vocabulary(["red", "fox"]), max_tokens=4)
    >>> rows = [GivenRow("", "a", {"text": cell}) for cell in ("red fox", "N/A", "red fox red")]
    >>> found = read("text", rows, raw.reader("text"), raw)
    >>> [each.tolist() for each in found.arrays], found.good.tolist(), found.faults, found.cut
    ([[[2, 4, 5, 3], [2, 4, 5, 3]], [4, 4]], [True, False, True], {1: "is 'N/A', which is no text"}, 1)
    """

    def value(row: GivenRow) -> Any:
        if row.fault:
            return Unusable("row", row.fault)
        cell = row.cells[side]
        written = side == "text" and isinstance(cell, str) and is_nothing(cell)
        return Unusable("empty_text", of_nothing(cell)) if written else read_cell(cell)

    with ThreadPoolExecutor(THREADS) as pool:
        values = list(pool.map(value, rows))
    good = np.array([not isinstance(value, Unusable) for value in values], dtype=bool)
    bad = [(number, value.message) for number, value in enumerate(values) if isinstance(value, Unusable)]
    faults = {number: message for number, message in bad if not rows[number].fault}
    usable = [value for value in values if not isinstance(value, Unusable)]
    if not usable:
        return GivenSide((), good, faults)
    of_texts = side == "text" and not raw.takes_features("text")
    cut = sum(raw.tokenizer.is_cut(text, raw.longest) for text in usable) if of_texts else 0
    return GivenSide(raw.arrays(side, usable), good, faults, cut)

"""CSV and TSV files: cells between separators, and what is wrong with rows that cannot be read."""

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from kith.data.encodings import text
from kith.data.listing import is_picture_name
from kith.errors import KithError

SEPARATORS = ",;\t|"
LONGEST = csv.field_size_limit()  # characters of a cell
WHOLE = re.compile('"(?:[^"]|"")*"')  # a quoted cell
DECLARED = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # Excel's first line of its own
NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")
SAMPLE, LOOKED_AT = 200, 5000  # lines that rows are told by, and those that are looked at for them
ENOUGH = 20  # rows to tell kinds of columns by
MOST = 0.9  # share of a column's cells that are of one kind, where it has one

Row = dict[str, Any]


class Delimited:
    """The table at `path`, by RFC 4180: cells may be quoted, and then have separators and line breaks in them.

    tabs: whether cells are between tabs; else the separator is the one that the first line has most of, or names
    (sep=;). Tables with tabs are often written without any quoting: where each line is a row by itself, and a cell
    opens with a quotation mark that does not close it, such marks are part of the cells.

    Raises KithError where the first line, with the names, cannot be read.
    """

    def __init__(self, path: Path, tabs: bool) -> None:
        self.path = path
        with text(path) as file:
            lines = _Lines(file)
            first = next(lines, "")
            self.declared = DECLARED.fullmatch(first) is not None and not tabs
            if self.declared:
                self.separator, first = first.lstrip('"')[4], next(lines, "")
            else:
                self.separator = "\t" if tabs else _separator(first)
            if not first.strip():
                raise KithError(f"{path}: cannot be read: the first line, with the names, is empty")
            try:
                self.head = next(csv.reader(itertools.chain([first], lines), delimiter=self.separator, strict=True))
            except csv.Error as error:
                raise KithError(f"{path}: line 1: cannot be read ({error}); mend the quotation marks") from None
            self._start = lines.number

    def rows(self) -> Iterator[tuple[int, Row | str]]:
        """(line, row) of each row, with the line where it begins; in the place of one that cannot be read, why not.

        Blank lines are no rows. After a row that cannot be read the next line is read as one of its own: a quotation
        mark that is missing costs no other row.
        """
        options: dict[str, Any] = {"quoting": csv.QUOTE_NONE} if self._unquoted else {}
        with text(self.path) as file:
            lines = _Lines(file)
            lines.skip(self._start)
            reader = csv.reader(lines, delimiter=self.separator, strict=True, **options)
            while True:
                line = lines.begin()
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield line, self._unreadable(error, lines.taken)
                    lines.put_back()
                    continue
                if len(lines.taken) > 1 and (inner := self._swallowed(lines.taken[1:])):
                    yield line, _swallows(line + inner)
                    lines.put_back()
                elif len(cells) == len(self.head):
                    yield line, dict(zip(self.head, cells, strict=True))
                elif cells:
                    yield line, self._miscounted(cells)

    @cached_property
    def _unquoted(self) -> bool:
        """Whether quotation marks are part of the cells."""
        opened = False
        with text(self.path) as file:
            if self.separator != "\t":
                return False
            for line in map(_bare, file):
                if line and line.count("\t") != len(self.head) - 1:
                    return False
                opened = opened or ('"' in line and any(map(_opens, line.split("\t"))))
        return opened

    def _swallowed(self, lines: Iterable[str]) -> int | None:
        """Which of the lines within a row, counted from 1, is a row itself."""
        return next((number for number, line in enumerate(lines, start=1) if self._looks_like_row(line)), None)

    def _looks_like_row(self, line: str) -> bool:
        cells = self._alone(line)
        if cells is None or not self._kinds or (not self._spaced and any(map(_spaced, cells[1:]))):
            return False
        found = {column: _kind(cells[column]) for column in self._kinds}
        return any(found.values()) and all(found[column] in ("", kind) for column, kind in self._kinds.items())

    def _alone(self, line: str) -> list[str] | None:
        """The cells of a line that is a row by itself."""
        try:
            cells = next(csv.reader([line], delimiter=self.separator, strict=True), [])
        except csv.Error:
            return None
        return cells if len(cells) == len(self.head) else None

    @cached_property
    def _sample(self) -> list[list[str]]:
        """The first rows; where quotation marks leave too few of them, the first lines that are rows by themselves."""
        found: list[list[str]] = []
        with text(self.path) as file, suppress(csv.Error):
            looked_at = itertools.islice(file, self._start, self._start + LOOKED_AT)
            rows = csv.reader(looked_at, delimiter=self.separator, strict=True)
            found.extend(itertools.islice((cells for cells in rows if len(cells) == len(self.head)), SAMPLE))
        if len(found) >= ENOUGH:
            return found
        with text(self.path) as file:
            alone = map(self._alone, itertools.islice(file, self._start, self._start + LOOKED_AT))
            return list(itertools.islice((cells for cells in alone if cells), SAMPLE))

    @cached_property
    def _kinds(self) -> dict[int, str]:
        """Columns whose cells are of one kind."""
        kinds: dict[int, str] = {}
        for column, cells in enumerate(zip(*self._sample, strict=True)):
            (kind, count), *_ = Counter(map(_kind, cells)).most_common(1)
            if kind not in ("", "words") and count >= MOST * len(cells):
                kinds[column] = kind
        return kinds

    @cached_property
    def _spaced(self) -> bool:
        """Whether there is white space after separators."""
        return any(_spaced(cell) for cells in self._sample for cell in cells[1:])

    def _unreadable(self, error: csv.Error, lines: Sequence[str]) -> str:
        if "field limit" in str(error) and len(lines) == 1:
            return f"has a cell of more than {LONGEST:,} characters; shorten it, or write the table as Parquet or JSONL"
        if "field limit" in str(error) or "end of data" in str(error):
            return "a quotation mark opens a cell here that is never closed; close it, or take the mark away"
        if any('\\"' in line for line in lines):
            return 'cannot be read; quotation marks within a cell are written twice, "", not as \\"'
        return f"cannot be read ({error}); is a quotation mark missing, or one too many?"

    def _miscounted(self, cells: list[str]) -> str:
        said = f"has {len(cells)} cells in place of {len(self.head)}"
        if len(cells) == len(self.head) + 1 and not cells[-1]:
            return f"{said}: it ends with a separator too many; take it away, or let the first line end with one too"
        return f'{said}; cells with separators in them need quotation marks, "like this"'


class _Lines:
    """Lines of a file, of which those that were taken since `begin` can be put back. number: how many were taken."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines, self._waiting = iter(lines), list[str]()
        self.taken: list[str] = []
        self.number = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._waiting.pop() if self._waiting else next(self._lines)
        self.taken.append(line)
        self.number += 1
        return line

    def skip(self, count: int) -> None:
        """Pass over lines."""
        self.number += sum(1 for _ in itertools.islice(self._lines, count))

    def begin(self) -> int:
        """Begin a row: the number, from 1, of its first line."""
        self.taken = []
        return self.number + 1

    def put_back(self) -> None:
        """Put all lines of the row back but the first."""
        self._waiting.extend(reversed(self.taken[1:]))
        self.number -= len(self.taken[1:])


def _swallows(line: int) -> str:
    return (
        f"a quoted cell has line breaks and separators in it, and line {line} looks like a row of its own; is a "
        "quotation mark missing, or one too many?"
    )


def _separator(head: str) -> str:
    """Of comma, semicolon, tab and bar, the one that the first line has most of outside quotation marks."""
    counts = Counter(re.sub('"[^"]*"', "", head))
    return max(SEPARATORS, key=lambda separator: counts[separator])


def _bare(line: str) -> str:
    return line.rstrip("\r\n")


def _opens(cell: str) -> bool:
    """Whether a cell opens with a quotation mark that does not close it."""
    return cell.startswith('"') and WHOLE.fullmatch(cell) is None


def _spaced(cell: str) -> bool:
    return cell.startswith(" ")


def _kind(cell: str) -> str:
    """What a cell is like: "file", "number", "code" (one word with digits in it), "words", or "" for nothing."""
    cell = cell.strip()
    if is_picture_name(cell):
        return "file"
    if NUMBER.fullmatch(cell):
        return "number"
    if any(map(str.isdigit, cell)) and not any(map(str.isspace, cell)):
        return "code"
    return "words" if cell else ""

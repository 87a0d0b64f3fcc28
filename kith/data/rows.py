"""Understanding one row of a user's table."""

import ast
import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kith.data import splits
from kith.data.categories import Categories
from kith.data.labels import word
from kith.data.problems import Problem, Problems, Where

# How programs write nothing, or an error of a formula, into a cell, in any case; and R and pandas, in this one.
NOTHING = frozenset(
    {
        *("", "nan", "none", "null", "(null)", "nil", "undefined", "n/a", "<na>", r"\n"),
        *("#n/a", "#value!", "#ref!", "#div/0!", "#name?", "#null!", "#num!"),
    }
)
NOTHING_AS_WRITTEN = frozenset({"NA", "NaT"})

# How a column of one label says that an item has it, or has not.
YES, NO = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no", "")

# A list of texts that is written into a cell: JSON, or Python's, with commas or, by NumPy, without.
_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
LITERAL = re.compile(_QUOTED, re.DOTALL)
LIST = re.compile(rf"\[\s*(?:(?:{_QUOTED})(?:\s*,\s*|\s+|(?=\])))*\]", re.DOTALL)

# Halves of characters, which JSON can spell but no text can hold.
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Columns:
    """Which column of a table holds what; None: none does. `categories`: from the widest to the narrowest; they
    are a taxonomy and take the place of `label`. `extras`: columns that are shown and that nothing else reads.
    `labels`: where items have several, a column of lists, or of texts in which `separator` stands between two of them;
    or columns of 0 and 1, which are called like the labels."""

    id: str | None = None
    image: str | None = "image"
    texts: Sequence[str] = ("text",)
    label: str | None = None
    split: str | None = None
    group: str | None = None
    categories: Sequence[str] = ()
    extras: Sequence[str] = ()
    labels: Sequence[str] = ()
    separator: str | None = None

    def named(self) -> list[tuple[str, str]]:
        """(field, column) of all that are given."""
        single = [(name, getattr(self, name)) for name in ("id", "image", "label", "split", "group")]
        several = ("texts", "categories", "labels", "extras")
        many = [(field, name) for field in several for name in getattr(self, field)]
        return [(field, name) for field, name in single if name] + many

    def without(self, names: Collection[str]) -> "Columns":
        """These but for the columns `names`.

        >>> left = Columns(label="kind", group="box").without({"kind", "text"})
        >>> left.image, left.texts, left.label, left.group
        ('image', [], None, 'box')
        """
        left: dict[str, Any] = {
            field: [name for name in value if name not in names] if isinstance(value, list | tuple) else value
            for field, value in vars(self).items()
            if field == "separator" or not (isinstance(value, str) and value in names)
        }
        return Columns(**({"image": None} | left))


class ParsedRow(NamedTuple):
    """An item in the making; `image_row` is -1 while it has no picture."""

    number: int
    line: int
    id: str
    split: str
    label: str
    texts: list[str]
    group: str
    labels: list[str]
    image_row: int = -1


class Rows:
    """Turns the cells of a row into a ParsedRow, and what is wrong with them into problems."""

    def __init__(
        self,
        columns: Columns,
        split_names: Mapping[str, str],
        problems: Problems,
        missing: Collection[str] | None = None,
    ) -> None:
        """missing: the words that stand for nothing, as they are written; None: those of `is_nothing`."""
        self.columns = columns
        self.missing = missing
        self.taken = Counter[tuple[str, str]]()  # (column, word) of what counts as nothing, and is not empty
        self.split_names = split_names
        self.problems = problems
        self.categories = Categories()
        self._unknown_splits: set[str] = set()

    def parse(self, where: Where, cells: Mapping[str, Any]) -> ParsedRow | None:
        """The row, without its picture; None if it is to be left out.

        One with an error is whole all the same, as far as it can be, so that the rest of it is looked at too.
        Without a split column the split is train; it is empty for a value that is not known.
        """
        columns, errors = self.columns, self.problems.count
        name = str(where.row) if columns.id is None else self._word(where, "", "id", columns.id, cells)
        split = "train"
        if columns.split is not None:
            split = self._split(where, name, self._word(where, name, "split", columns.split, cells))
        if split == "ignore":
            return None
        texts = [text for column in columns.texts for text in self._texts(where, name, column, cells[column])]
        if columns.texts and not texts and self.problems.count == errors:
            return None
        group = self._word(where, name, "group", columns.group, cells) if columns.group else ""
        label, labels = self._label(where, name, cells), self._labels(where, name, cells)
        return ParsedRow(*where, name, split, label, texts, group or name, labels)

    def _labels(self, where: Where, name: str, cells: Mapping[str, Any]) -> list[str]:
        """The labels of an item that may have several, each once, in their order; −1 is none, as of a single one."""
        columns, separator = self.columns.labels, self.columns.separator
        if len(columns) > 1:
            marks = {column: self._word(where, name, "labels", column, cells).lower() for column in columns}
            for column, mark in marks.items():
                if mark not in (*YES, *NO):
                    self._note("labels", where, name, column, f"is '{mark}'; a column of one label has 1 or 0")
            return [column for column, mark in marks.items() if mark in YES]
        found: list[str] = []
        for column in columns:
            cell = listed_texts(cells[column])
            if isinstance(cell, str) and separator:
                cell = cell.split(separator)
            elif isinstance(cell, str) and not is_nothing(cell, self.missing):
                said = "is a text, not a list; say what stands between two labels: fetch.columns.separator"
                self._note("labels", where, name, column, said)
                continue
            for each in cell if isinstance(cell, list) else [cell]:
                text = self._word(where, name, "labels", column, {column: each})
                found += [text] if text not in ("", "-1") else []
        return list(dict.fromkeys(found))

    def _label(self, where: Where, name: str, cells: Mapping[str, Any]) -> str:
        columns = self.columns
        if columns.label:
            return self._word(where, name, "label", columns.label, cells)
        path = [self._word(where, name, "label", column, cells) for column in columns.categories]
        label, fault = self.categories.label(path)
        if fault:
            self._note("label", where, name, columns.categories[len(path) - 1], fault)
        return label

    def _split(self, where: Where, name: str, value: str) -> str:
        split = self.split_names.get(value, splits.spelled(value))
        if split == "ignore" or splits.known(split):
            return split
        if value not in self._unknown_splits:
            self._unknown_splits.add(value)
            said = f"unknown split '{value}'" if value else "is empty"
            message = f"{said}; splits are {splits.NAMES}; {splits.advice(value)}"
            self._note("split", where, name, self.columns.split or "", message)
        return ""

    def _texts(self, where: Where, name: str, column: str, cell: Any) -> Iterator[str]:
        """The texts in a cell, a string or a list of strings, without white space around them."""
        cell = listed_texts(cell)
        many = isinstance(cell, list) and len(cell) > 0
        for index, text in enumerate(cell if many else [cell]):
            which = f"text {index} " if many else ""
            text = utf8(text) if isinstance(text, bytes) else text
            if _blank(text, self.missing):
                self._note("empty_text", where, name, column, f"{which}{of_nothing(text)}")
            elif not isinstance(text, str):
                kind = type(text).__name__
                message = f"{which}is of type {kind}; texts are strings or lists of them"
                self._note("text", where, name, column, message)
            elif SURROGATE.search(text):
                self._note("text", where, name, column, f"{which}is not valid Unicode; mend the text")
            else:
                yield text.strip()

    def _word(self, where: Where, name: str, field: str, column: str, cells: Mapping[str, Any]) -> str:
        """A cell that holds a single value, as text."""
        cell = cells[column]
        if isinstance(cell, list | dict):
            self._note(field, where, name, column, f"is of type {type(cell).__name__}; expected a single value")
            return ""
        text = word(cell)
        if SURROGATE.search(text):
            self._note(field, where, name, column, "is not valid Unicode; mend the text")
            return ""
        if field == "id" or not is_nothing(text, self.missing):
            return text
        if text.strip():
            self.taken[column, text.strip()] += 1
        return ""

    def remarks(self) -> list[str]:
        """What is to be said of words that were taken for nothing."""
        return [
            f"column '{column}': '{word}' is taken for nothing ({count:,} {'cell' if count == 1 else 'cells'}); if it "
            "is a value, give fetch.missing: [], or the words that stand for nothing (kith check --missing none)"
            for (column, word), count in self.taken.items()
        ]

    def _note(self, kind: str, where: Where, name: str, column: str, message: str) -> None:
        self.problems.add(Problem(kind, where.row, name, column, message, where.place))


def listed_texts(cell: Any) -> Any:
    """The texts of a cell that is a list written as a text, as pandas and NumPy write it into CSV; else the cell.

    >>> listed_texts("['a red bar', \\"it's a bar\\"]"), listed_texts("[sic] a bar")
    (['a red bar', "it's a bar"], '[sic] a bar')
    """
    if not isinstance(cell, str) or LIST.fullmatch(cell.strip()) is None:
        return cell
    try:
        return json.loads(cell)
    except ValueError:  # not JSON
        pass
    try:
        return [ast.literal_eval(text.replace("\r", "").replace("\n", "\\n")) for text in LITERAL.findall(cell)]
    except (ValueError, SyntaxError):  # an escape that Python does not know: then it is a text
        return cell


def is_nothing(text: str, missing: Collection[str] | None = None) -> bool:
    """Whether a text is white space, or nothing but a word that programs write for nothing; with `missing`, one of
    these, as it is written.

    >>> is_nothing(" NaN "), is_nothing("NA"), is_nothing("na"), is_nothing("none of them")
    (True, True, False, False)
    >>> is_nothing("NA", []), is_nothing("-", ["-"]), is_nothing(" ", [])
    (False, True, True)
    """
    if missing is not None:
        return not text.strip() or text.strip() in missing
    return text.strip().lower() in NOTHING or text.strip() in NOTHING_AS_WRITTEN


def of_nothing(text: Any) -> str:
    """What is to be said of such a text, or of a cell without any.

    >>> of_nothing("NaN"), of_nothing(None)
    ("is 'NaN', which is no text", 'is empty')
    """
    return f"is '{text.strip()}', which is no text" if isinstance(text, str) and text.strip() else "is empty"


def _blank(text: Any, missing: Collection[str] | None) -> bool:
    if isinstance(text, str):
        return is_nothing(text, missing)
    return text is None or text == [] or (isinstance(text, float) and math.isnan(text))


def utf8(data: bytes) -> str | bytes:
    """Text that is stored as bytes; these themselves where they are none."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data

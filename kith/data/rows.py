"""Understanding one row of a user's table."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kith.data import splits
from kith.data.problems import Problem, Problems

# Halves of characters, which JSON can spell but no text can hold.
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Columns:
    """Which column of a table holds what; None: none does."""

    id: str | None = None
    image: str | None = "image"
    texts: Sequence[str] = ("text",)
    label: str | None = None
    split: str | None = None
    group: str | None = None

    def named(self) -> list[tuple[str, str]]:
        """(field, column) of all that are given."""
        single = [(name, getattr(self, name)) for name in ("id", "image", "label", "split", "group")]
        return [(field, name) for field, name in single if name] + [("texts", name) for name in self.texts]


class Row(NamedTuple):
    """An item in the making; `image_row` is -1 while it has no picture."""

    number: int
    id: str
    split: str
    label: Any
    texts: list[str]
    group: str
    image_row: int = -1


class Rows:
    """Turns the cells of a row into a Row, and what is wrong with them into problems."""

    def __init__(self, columns: Columns, split_names: Mapping[str, str], problems: Problems) -> None:
        self.columns = columns
        self.split_names = split_names
        self.problems = problems
        self._unknown_splits: set[str] = set()

    def parse(self, number: int, cells: Mapping[str, Any]) -> Row | None:
        """The row, without its picture; None if it is to be ignored, or has a fault that is now noted.

        Without a split column the split is train.
        """
        columns = self.columns
        name = str(number) if columns.id is None else _word(cells[columns.id])
        split = "train" if columns.split is None else self._split(number, name, _word(cells[columns.split]))
        if split is None:
            return None
        texts = [text for column in columns.texts for text in self._texts(number, name, column, cells[column])]
        if columns.texts and not texts:
            return None
        group = _word(cells[columns.group]) if columns.group else ""
        label = cells[columns.label] if columns.label else None
        return Row(number, name, split, label, texts, group or name)

    def _split(self, number: int, name: str, value: str) -> str | None:
        split = self.split_names.get(value, value)
        if split != "ignore" and not splits.known(split) and value not in self._unknown_splits:
            self._unknown_splits.add(value)
            self._note(
                "split",
                number,
                name,
                self.columns.split or "",
                f"unknown split '{value}'; splits are {splits.NAMES}; say what it means with "
                f"fetch.splits: {{'{value}': {splits.suggestion(value)}}}",
            )
        return split if splits.known(split) else None

    def _texts(self, number: int, name: str, column: str, cell: Any) -> Iterator[str]:
        """The texts in a cell, a string or a list of strings, without white space around them."""
        many = isinstance(cell, list) and len(cell) > 0
        for index, text in enumerate(cell if many else [cell]):
            which = f"text {index} " if many else ""
            if text is None or text == [] or (isinstance(text, str) and not text.strip()):
                self._note("empty_text", number, name, column, f"{which}is empty")
            elif not isinstance(text, str):
                kind = type(text).__name__
                self._note(
                    "text", number, name, column, f"{which}is of type {kind}; texts are strings or lists of them"
                )
            elif SURROGATE.search(text):
                self._note("text", number, name, column, f"{which}is not valid Unicode; mend the text")
            else:
                yield text.strip()

    def _note(self, kind: str, number: int, name: str, column: str, message: str) -> None:
        self.problems.add(Problem(kind, number, name, column, message))


def _word(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()

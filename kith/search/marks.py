"""The file of marks that the page /audit writes, and that prepare.exclude and prepare.relabel read."""

import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from kith.data.marks import MARKS, Pictures, known_by
from kith.data.temporary import beside
from kith.errors import KithError, UnanswerableError, listed, reading
from kith.store.photos import pictures
from kith.store.prepared import Prepared

HEAD = ["id", "mark", "label", "text", "of"]
NEEDED = HEAD[:-1]
PATIENCE = 20  # seconds that one waits for another server to write its marks

Line = dict[str, str]


class Mark(NamedTuple):
    """What a person decided about an item, or about one text of it: keep, exclude or relabel; "": nothing any more.
    of: what the item is known by where ids are but the numbers of rows (see `kith.data.marks.known_by`)."""

    id: str
    mark: str
    label: str = ""
    text: str = ""
    of: str = ""


class MarksFile:
    """marks.csv beside the prepared data, one line an item or text. Lines of items that are no longer there stay, and
    so do columns that somebody has added.

    Safe to use from several threads and several processes: each mark is put into the file as it is then.
    """

    def __init__(self, path: Path, data: Prepared):
        self.path, self._data = path, data
        self._pictures: Pictures | None = pictures(data)
        self.labels = sorted(set(data.table["label_name"][data.table["label"] >= 0]))

    def read(self) -> tuple[list[Mark], int]:
        """All marks of the items as they are, in the order in which they were made first; and how many others there
        are, made of what is another row now. Raises KithError for a file of another form."""
        lines = self._lines()[1]
        moved = self._moved(lines)
        found = [_mark(line) for place, line in enumerate(lines) if line["mark"] and place not in moved]
        return found, sum(bool(lines[place]["mark"]) for place in moved)

    def _moved(self, lines: list[Line]) -> set[int]:
        """Lines made of another item than the one that has their id now: ids that are numbers of rows are those of
        other rows once a row has been put in. What `prepare` left out, as a line says, an item had."""
        left_out: dict[str, set[str]] = {}
        for line in lines:
            left_out.setdefault(line["id"], set()).add(line["text"])
        found = set()
        for place, line in enumerate(lines):
            if not (line["of"] and line["id"].isdecimal()) or line["of"] in left_out[line["id"]]:
                continue
            with suppress(UnanswerableError):  # there is no such item any more
                if line["of"] not in self._known_by(line["id"]):
                    found.add(place)
        return found

    def put(self, marks: list[Mark]) -> int:
        """Set marks; one of the same item and text replaces the one before. Returns how many there are then.

        Raises UnanswerableError for ids, labels, texts and marks that are not known; then none is set.
        """
        for mark in marks:
            self._check(mark)
        with self._alone():
            head, lines = self._lines()
            moved, touched = self._moved(lines), set[int]()
            for mark in marks:
                known = next(iter(self._known_by(mark.id)), "")
                touched |= _set(lines, mark._replace(of=known), moved)
            # Without a mark a line stays for what somebody has added to it.
            left = [line for place, line in enumerate(lines) if place not in touched or line["mark"] or _has_more(line)]
            self._write([*head, *(name for name in HEAD if name not in head)], left)
        return sum(bool(line["mark"]) for line in left)

    def _check(self, mark: Mark) -> None:
        texts = self._texts(mark.id)
        if mark.mark not in ("", *MARKS):
            raise UnanswerableError(f"there is no mark '{mark.mark}'; marks are {', '.join(MARKS)}")
        if mark.mark == "relabel" and mark.label not in self.labels:
            raise UnanswerableError(f"no item has the label '{mark.label}'; there are {listed(self.labels)}")
        if mark.text and mark.text not in texts:
            raise UnanswerableError(f"'{mark.id}' has no such text")

    def _texts(self, name: str) -> list[str]:
        return list(self._data.table["texts"].iat[self._data.row(name)])

    def _known_by(self, name: str) -> list[str]:
        return known_by(self._texts(name), self._pictures, int(self._data.table["image_row"].iat[self._data.row(name)]))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While no other server writes: what it has put into the file is read first, so no mark is lost."""
        try:
            with FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout=PATIENCE):
                yield
        except Timeout:
            raise UnanswerableError(f"{self.path.name} is being written by another server; try again") from None

    def _lines(self) -> tuple[list[str], list[Line]]:
        """The columns of the file, and its lines, with "" for what they lack."""
        if not self.path.exists():
            return HEAD, []
        with reading(self.path, "mend it, or delete it"), self.path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            lines = list(reader)
            head = list(reader.fieldnames or ())
        if missing := [name for name in NEEDED if name not in head]:
            raise KithError(f"{self.path}: no column '{missing[0]}'; mend it, or delete it")
        if any(None in line for line in lines):
            raise KithError(f"{self.path}: a line has more fields than the first one; mend it, or delete it")
        return head, [dict.fromkeys(HEAD, "") | line for line in lines]

    def _write(self, head: list[str], lines: list[Line]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(
            text, head, restval=""
        )  # lines end in \r\n: else a text with \r alone would not be quoted
        writer.writeheader()
        writer.writerows(lines)
        temporary = beside(self.path)
        temporary.write_text(text.getvalue(), encoding="utf-8", newline="")
        os.replace(temporary, self.path)


def _mark(line: Line) -> Mark:
    return Mark(*(line[name] for name in HEAD))


def _set(lines: list[Line], mark: Mark, moved: set[int]) -> set[int]:
    """Put the mark at the place of the one before, or at the end; the places of all lines of its item and text."""
    same = (place for place, line in enumerate(lines) if (line["id"], line["text"]) == (mark.id, mark.text))
    own = [place for place in same if place not in moved]
    if not own:
        own = [len(lines)]
        lines.append({})
    lines[own[0]].update(mark._asdict())
    for place in own[1:]:
        lines[place].update(mark="", label="")
    return set(own)


def _has_more(line: Line) -> bool:
    """Whether somebody has written into a column of their own."""
    return any(value for name, value in line.items() if name not in HEAD)

"""The file of marks that the page /audit writes, and that prepare.exclude and prepare.relabel read."""

import csv
import io
import os
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from kith.data.marks import MARKS
from kith.data.temporary import beside
from kith.errors import KithError, UnanswerableError, listed, reading
from kith.store.prepared import Prepared

HEAD = ["id", "mark", "label", "text", "of"]


class Mark(NamedTuple):
    """What a person decided about an item, or about one text of it: keep, exclude or relabel; "": nothing any more.
    of: a text of the item, by which it is known again where ids are but the numbers of rows."""

    id: str
    mark: str
    label: str = ""
    text: str = ""
    of: str = ""


class MarksFile:
    """marks.csv beside the prepared data, one line an item or text; lines of items that are no longer there stay.

    Safe to use from several threads of one process.
    """

    def __init__(self, path: Path, data: Prepared):
        self.path, self._data, self._lock = path, data, Lock()
        self.labels = sorted(set(data.table["label_name"][data.table["label"] >= 0]))

    def read(self) -> list[Mark]:
        """All marks, in the order in which they were made first. Raises KithError for a file of another form."""
        if not self.path.exists():
            return []
        with reading(self.path, "mend it, or delete it"), self.path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        try:
            return [Mark(**{name: row[name] or "" for name in HEAD[:-1]}, of=row.get("of") or "") for row in rows]
        except KeyError as error:
            raise KithError(f"{self.path}: no column {error}; mend it, or delete it") from None

    def put(self, marks: list[Mark]) -> int:
        """Set marks; one of the same item and text replaces the one before. Returns how many there are then.

        Raises UnanswerableError for ids, labels, texts and marks that are not known; then none is set.
        """
        for mark in marks:
            self._check(mark)
        with self._lock:
            known = {(each.id, each.text): each for each in self.read()}
            for mark in marks:
                known[mark.id, mark.text] = mark._replace(of=next(iter(self._texts(mark.id)), ""))
            left = [each for each in known.values() if each.mark]
            self._write(left)
        return len(left)

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

    def _write(self, marks: list[Mark]) -> None:
        lines = io.StringIO()
        writer = csv.writer(lines)  # lines end in \r\n: else a text with \r alone would not be quoted
        writer.writerow(HEAD)
        writer.writerows(marks)
        temporary = beside(self.path)
        temporary.write_text(lines.getvalue(), encoding="utf-8", newline="")
        os.replace(temporary, self.path)

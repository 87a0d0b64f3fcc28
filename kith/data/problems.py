"""Faults of single rows, collected so that a user sees them together."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from kith.errors import KithError

SKIPPABLE = {
    "missing_image": "supply the picture",
    "undecodable_image": "mend the file",
    "empty_text": "supply a text",
}


class Where(NamedTuple):
    """Where a row of a table is. row: from 0; line: of a text, from 1, as an editor counts, on which the row begins; 0
    where a table has no lines (Parquet).

    >>> str(Where(3)), str(Where(3, 5)), Where(3).place
    ('row 3', 'line 5', '')
    """

    row: int
    line: int = 0

    @property
    def place(self) -> str:
        """What a problem is told of beside the row."""
        return f"line {self.line}" if self.line else ""

    def __str__(self) -> str:
        return self.place or f"row {self.row}"


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault in one field of one row; rows are counted from 0, and `id` and `field` are empty where there is none.

    `place` is what a user calls the row where it is not by its number ("line 3", "images.txt, line 3").
    """

    kind: str
    row: int
    id: str
    field: str
    message: str
    place: str = ""

    def __str__(self) -> str:
        named = f" (id '{self.id}')" if self.id else ""
        column = f", column '{self.field}'" if self.field else ""
        return f"{self.place or f'row {self.row}'}{named}{column}: {self.message}"


class Problems:
    """Collects the faults of `source`: those of a kind named in `skip` are noted, all others are errors.

    errors: the first `limit`; counts: of each kind, how many there are; skipped: those to be left out.
    """

    def __init__(self, source: str, skip: Collection[str] = (), limit: int = 20) -> None:
        self.source = source
        self.skip = frozenset(skip)
        self.limit = limit
        self.skipped: list[Problem] = []
        self.errors: list[Problem] = []
        self.counts: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """The number of errors."""
        return self.counts.total()

    def add(self, problem: Problem) -> None:
        """Note a fault; one of a kind that SKIPPABLE does not list is always an error."""
        if problem.kind in self.skip:
            self.skipped.append(problem)
            return
        self.counts[problem.kind] += 1
        if len(self.errors) < self.limit:
            self.errors.append(problem)

    def raise_any(self) -> None:
        """If there are errors, raise a KithError with the first `limit` and the number of the others."""
        if not self.count:
            return
        lines = [f"{self.source}: {problem}{_advice(problem)}" for problem in self.errors]
        if more := self.count - len(self.errors):
            lines.append(f"… and {more:,} more")
        if not all(problem.place for problem in self.errors):
            lines.append("(Rows are counted from 0.)")
        raise KithError("\n".join(lines))


def _advice(problem: Problem) -> str:
    mend = SKIPPABLE.get(problem.kind)
    return f"; {mend}, or skip such rows with prepare.skip: [{problem.kind}]" if mend else ""

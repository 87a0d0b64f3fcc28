"""Faults of single rows, collected so that a user sees them together."""

from collections.abc import Collection
from dataclasses import dataclass

from kith.errors import KithError

SKIPPABLE = {
    "missing_image": "supply the picture",
    "undecodable_image": "mend the file",
    "empty_text": "supply a text",
}


@dataclass(frozen=True)
class Problem:
    """A fault in one field of one row; rows are counted from 0, and `id` is empty where there is none.

    `place` is what a user calls the row where it is not a row of a table ("images.txt, line 3").
    """

    kind: str
    row: int
    id: str
    field: str
    message: str
    place: str = ""

    def __str__(self) -> str:
        named = f" (id '{self.id}')" if self.id else ""
        return f"{self.place or f'row {self.row}'}{named}, column '{self.field}': {self.message}"


class Problems:
    """Collects the faults of `source`: those of a kind named in `skip` are noted, all others are errors."""

    def __init__(self, source: str, skip: Collection[str] = (), limit: int = 20) -> None:
        self.source = source
        self.skip = frozenset(skip)
        self.limit = limit
        self.skipped: list[Problem] = []
        self.count = 0
        self._errors: list[str] = []
        self._rows = False

    def add(self, problem: Problem) -> None:
        """Note a fault; one of a kind that SKIPPABLE does not list is always an error."""
        if problem.kind in self.skip:
            self.skipped.append(problem)
            return
        self.count += 1
        if len(self._errors) < self.limit:
            mend = SKIPPABLE.get(problem.kind)
            advice = f"; {mend}, or skip such rows with prepare.skip: [{problem.kind}]" if mend else ""
            self._rows |= not problem.place
            self._errors.append(f"{self.source}: {problem}{advice}")

    def raise_any(self) -> None:
        """If there are errors, raise a KithError with the first `limit` and the number of the others."""
        if not self.count:
            return
        more = self.count - len(self._errors)
        lines = [*self._errors, f"… and {more:,} more"] if more else self._errors
        raise KithError("\n".join([*lines, "(Rows are counted from 0.)"] if self._rows else lines))

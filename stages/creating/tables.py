"""Tables that are made of what a user brings: in a folder of their own, until it is said that they are wanted."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kith.data.digests import sha256
from kith.data.temporary import beside, remove
from kith.errors import KithError

TABLES = Path("tables")


@dataclass(frozen=True)
class Tables:
    """folder: where they are made. What is not kept is gone in the end."""

    folder: Path

    def named(self, path: Path) -> Path:
        """Where a table that is made will be, once it is kept; other paths as they are."""
        return TABLES / path.name if path.parent == self.folder else path

    def keep(self, own: Collection[str]) -> None:
        """Put them into tables/. own: those there that may be replaced.

        Raises KithError where there is another one of the name, and then puts none there.
        """
        made = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
        for each in made:
            target = self.named(each)
            if target.exists() and target.as_posix() not in own and sha256(target) != sha256(each):
                raise KithError(f"{target}: is there already; choose another name with --name, or delete it")
        for each in made:
            TABLES.mkdir(exist_ok=True)
            os.replace(each, self.named(each))


@contextmanager
def making() -> Iterator[Tables]:
    """A folder beside tables/, and so on the same disk."""
    folder = beside(TABLES)
    try:
        yield Tables(folder)
    finally:
        remove(folder)

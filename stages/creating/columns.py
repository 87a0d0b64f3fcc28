"""Which column of a table holds what: what was named, and the rest as `kith check` guesses it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from kith.data import advice, check, guess, readers
from kith.data.rows import Columns
from kith.errors import KithError, listed
from stages.creating.brought import root_of

NONE = "none"
SINGLE = ("image", "label", "split", "group", "id")
SEVERAL = ("texts", "categories", "extras")
MOST_EXTRAS = 12  # columns that are shown beside the others


def named(given: list[str]) -> dict[str, Any]:
    """["image=photo", "texts=title", "texts=told", "split=none"] by field. Raises KithError for what is no field."""
    found: dict[str, Any] = {}
    for each in given:
        field, equals, name = each.partition("=")
        if field not in SINGLE + SEVERAL or not equals or not name:
            known = ", ".join(SINGLE + SEVERAL)
            raise KithError(f"--column {each}: expected FIELD=NAME, such as texts=title; the fields are {known}")
        if field in SEVERAL:
            found[field] = [] if name == NONE else [*found.get(field, []), name]
        else:
            found[field] = None if name == NONE else name
    return found


def of_table(path: Path, given: list[str]) -> tuple[Columns, list[str]]:
    """The columns, and what holds what, in words. Raises KithError for a column that is not there."""
    there, chosen = readers.columns(path), named(given)
    for field, names in chosen.items():
        for name in [names] if isinstance(names, str) else names or []:
            if name not in there:
                raise KithError(f"--column {field}={name}: {path} has no such column; there are {listed(there, 20)}")
    columns, reasons = guess.guess(path, chosen)
    if "extras" not in chosen and (extras := _extras(path, columns)):
        columns = replace(columns, extras=extras)
        reasons["extras"] = "the others: shown on the page, and read by no method"
    return columns, advice.column_lines(columns, reasons)


def _extras(path: Path, columns: Columns) -> list[str]:
    """The columns that nothing reads, and that hold single values."""
    taken = {name for _, name in columns.named()} | {"id"}
    found = dict.fromkeys((name for name in readers.columns(path) if name not in taken), True)
    seen = 0
    for batch in readers.batches(path, list(found), lambda *_: None) if found else ():
        for name, cells in batch.items():
            found[name] &= not any(isinstance(cell, list | dict | bytes) for cell in cells)
        if (seen := seen + len(batch.where)) >= guess.ROWS:
            break
    return [name for name, is_single in found.items() if is_single][:MOST_EXTRAS]


def image_root(path: Path, columns: Columns) -> Path | None:
    """The folder that the pictures of a table are relative to, where it is not the table's own."""
    if columns.image is None:
        return None
    for batch in readers.batches(path, [columns.image], lambda *_: None):
        for cell in batch[columns.image]:
            if isinstance(cell, str) and cell.strip() and not Path(cell).is_absolute():
                return root_of(path if path.is_dir() else path.parent, cell.strip(), above=False)
    return None


def fetch(path: Path, columns: Columns, root: Path | None, taxonomy: Path | None) -> dict[str, Any]:
    """The section `fetch` of a study of the table."""
    given = {name: value for name, value in vars(columns).items() if value or name in ("image", "texts")}
    plain = {name: list(value) if isinstance(value, list | tuple) else value for name, value in given.items()}
    splits = check.split_names(path, columns.split) if columns.split else {}
    more = {"image_root": root and root.as_posix(), "taxonomy": taxonomy and taxonomy.as_posix(), "splits": splits}
    return {"source": "table", "path": path.as_posix(), "columns": plain} | {k: v for k, v in more.items() if v}

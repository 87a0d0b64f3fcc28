"""Columns of a table that no method reads, kept for people: what the page of a search shows of an item."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kith.data import readers
from kith.data.labels import word
from kith.data.rows import SURROGATE, is_nothing, listed_texts
from kith.errors import KithError

LONGEST = 1000  # characters of a cell that are kept


def read(path: Path, names: Sequence[str], rows: np.ndarray, ids: pa.ChunkedArray) -> pa.Table:
    """Of the table at `path` the columns `names` as texts, "" where a cell is empty: with the column `id` first, a row
    for each of `rows`, which ascend.

    ids: of these rows. Raises KithError where a column is called `id`, or holds bytes.
    """
    if "id" in names:
        raise KithError("fetch.columns.extras: 'id' is there by itself; leave it out")
    wanted, found, start = set(rows.tolist()), {name: [] for name in dict.fromkeys(names)}, 0  # type: ignore[var-annotated]
    for batch in readers.batches(path, list(found), lambda *_: None):
        kept = [place for place, where in enumerate(batch.where) if where.row in wanted]
        for name, cells in found.items():
            cells.extend(_shown(batch[name][place], path, batch.where[place].row, name) for place in kept)
        start += len(kept)
    if start != len(rows):
        raise KithError(f"{path}: has changed while it was read; run the fetch stage again")
    columns = {name: pa.array(cells, pa.string()) for name, cells in found.items()}
    return pa.table({"id": ids.combine_chunks(), **columns})


def _shown(cell: Any, path: Path, row: int, name: str) -> str:
    cell = listed_texts(cell)
    if isinstance(cell, bytes | dict):
        kind = "bytes" if isinstance(cell, bytes) else "an object"
        raise KithError(f"{path}: row {row}: {name}: holds {kind}; fetch.columns.extras takes texts, numbers and dates")
    parts = [word(each) for each in (cell if isinstance(cell, list) else [cell])]
    text = SURROGATE.sub("�", ", ".join(part for part in parts if not is_nothing(part)))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"

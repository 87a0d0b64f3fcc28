"""The user's own table: any Parquet, CSV, TSV or JSONL file, read by the names of its columns."""

import difflib
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kith.data import edges, items, readers
from kith.data.classes import names
from kith.data.items import ITEMS, TAXONOMY, Dataset
from kith.data.labels import numbered
from kith.data.loader import Loader, Unusable
from kith.data.problems import Problem, Problems
from kith.data.rows import Columns, Row, Rows
from kith.data.splits import check_map, random_split, split_by_class
from kith.data.store import ImageWriter
from kith.errors import KithError

THREADS = 4


def build(
    path: Path,
    columns: Columns,
    pictures: ImageWriter,
    *,
    fit: str = "pad",
    image_root: Path | None = None,
    splits: Mapping[str, str] | None = None,
    taxonomy: Path | None = None,
    taxonomy_order: edges.Order = "parent-child",
    class_names: Path | None = None,
    val: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    skip: Collection[str] = (),
) -> Dataset:
    """Read the table at `path`, decode its images into `pictures`, and return its items in the table's order.

    Paths of images are relative to `image_root`, which is by default the table's folder. `splits` maps the
    values of the split column to train, val, test, test_<name> or "ignore"; a value that is a split's name
    needs no mapping. Without a split column, `val` and `test` are the shares of a random split by group; with one
    that leaves val empty, the share `val` of train becomes val, of each class alike where there are labels and no
    groups, else by group.
    `taxonomy` is a file that edges.read takes, `class_names` one with names of its nodes (see classes.names).
    Without an id column the row number is the id; without a group an item is its own. `skip` names the kinds
    of problems (SKIPPABLE) whose rows are left out and listed in the result.

    Raises KithError with up to 20 faults at once, each with its row and column.
    """
    check_columns(path, columns)
    check_map(splits or {})
    called = names.read(class_names) if class_names else {}
    nodes = TAXONOMY.empty_table() if taxonomy is None else edges.read(taxonomy, taxonomy_order, called)
    problems = Problems(str(path), skip)
    parser = Rows(columns, splits or {}, problems)
    loader = Loader(image_root or path.parent, pictures.shape[0], pictures.mode, fit)
    rows = list(_read(path, columns, parser, loader, pictures, problems))
    if not rows:
        problems.raise_any()
        raise KithError(f"{path}: no row is left to use; mend fetch.path, fetch.splits or prepare.skip")
    if not problems.count:
        rows = _split(rows, columns, val, test, seed)
    dataset = Dataset(
        _items(rows),
        nodes,
        tuple(problems.skipped),
        np.array([row.number for row in rows], dtype=np.int64),
    )
    items.check(dataset, pictures.count, problems, dict(columns.named()))
    problems.raise_any()
    return dataset


def check_columns(path: Path, columns: Columns) -> None:
    """Raise KithError unless the table has each of `columns` once, and they hold pictures or texts."""
    if columns.image is None and not columns.texts:
        raise KithError("fetch.columns: neither image nor texts; name the column of at least one")
    there = readers.columns(path)
    for field, name in columns.named():
        if there.count(name) > 1:
            raise KithError(f"{path}: column '{name}' is there {there.count(name)} times; rename all but one")
        if name not in there:
            close = difflib.get_close_matches(name, there, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            known = ", ".join(there)
            raise KithError(f"{path}: no column '{name}' (fetch.columns.{field}); the columns are: {known}{hint}")


def _read(
    path: Path, columns: Columns, parser: Rows, loader: Loader, pictures: ImageWriter, problems: Problems
) -> Iterator[Row]:
    """The rows to use, with their pictures decoded batch by batch and stored in order."""
    number = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for batch in readers.batches(path, [name for _, name in columns.named()]):
            cells = [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
            rows = [parser.parse(number + index, row) for index, row in enumerate(cells)]
            number += len(cells)
            kept = [(row, values) for row, values in zip(rows, cells, strict=True) if row is not None]
            if columns.image is None:
                yield from (row for row, _ in kept)
                continue
            loaded = pool.map(loader, [values[columns.image] for _, values in kept])
            for (row, _), picture in zip(kept, loaded, strict=True):
                if isinstance(picture, Unusable):
                    problems.add(Problem(picture.kind, row.number, row.id, columns.image, picture.message))
                else:
                    yield row._replace(image_row=pictures.append(picture))


def _split(rows: list[Row], columns: Columns, val: float, test: float, seed: int) -> list[Row]:
    """The rows with the splits that the table does not give."""
    given = np.array([row.split for row in rows], dtype=object)
    if columns.split is None:
        given[:] = random_split([row.group for row in rows], val, test, seed)
        return _with(rows, given)
    train = np.flatnonzero(given == "train")
    groups = [rows[i].group for i in train]
    if not val or "val" in given or len(set(groups)) < 2:
        return rows
    if columns.label and not columns.group:
        labels = numbered([rows[i].label for i in train])[0]
        given[train] = split_by_class(labels, groups, val, 0, seed)
    else:
        given[train] = random_split(groups, val, 0, seed)
    return _with(rows, given)


def _with(rows: list[Row], splits: np.ndarray) -> list[Row]:
    return [row._replace(split=split) for row, split in zip(rows, splits.tolist(), strict=True)]


def _items(rows: list[Row]) -> pa.Table:
    labels, names = numbered([row.label for row in rows])
    values: dict[str, Any] = {
        "id": [row.id for row in rows],
        "split": [row.split for row in rows],
        "label": labels,
        "label_name": names,
        "texts": [row.texts for row in rows],
        "group": [row.group for row in rows],
        "image_row": [row.image_row for row in rows],
    }
    return pa.table(values, schema=ITEMS)

"""The user's own table: any Parquet, CSV, TSV or JSONL file, read by the names of its columns."""

import difflib
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kith.data import duplicates, edges, items, readers
from kith.data.items import ITEMS, TAXONOMY, Dataset
from kith.data.labels import alike, numbered, read_names, readable, shortened, whole
from kith.data.loader import Loader, Unusable
from kith.data.parts import home
from kith.data.problems import Problem, Problems, Where
from kith.data.rows import Columns, ParsedRow, Rows
from kith.data.splits import check_map, random_split, split_by_class
from kith.data.store import Sink
from kith.errors import KithError

THREADS = 4
PIECE = 8192  # rows that are Python objects at a time; the others are in Arrow's compact form

# A ParsedRow, field by field.
ROWS = pa.schema(
    {
        **{"number": pa.int64(), "line": pa.int64(), "id": pa.string(), "split": pa.string(), "label": pa.string()},
        **{"texts": pa.list_(pa.string()), "group": pa.string(), "labels": pa.list_(pa.string())},
        "image_row": pa.int64(),
    }
)


def build(path: Path, columns: Columns, pictures: Sink, *, skip: Collection[str] = (), **options: Any) -> Dataset:
    """`collect`, with all faults together as an error. `skip` names the kinds of problems (SKIPPABLE) whose rows are
    left out and listed in the result.

    Raises KithError with up to 20 faults at once, each with its row and column.
    """
    check_columns(path, columns, options.get("image_root"))
    problems = Problems(str(path), skip)
    dataset = collect(path, columns, pictures, problems, **options)
    problems.raise_any()
    return dataset


def collect(
    path: Path,
    columns: Columns,
    pictures: Sink,
    problems: Problems,
    *,
    fit: str = "pad",
    image_root: Path | None = None,
    outside: bool = False,
    splits: Mapping[str, str] | None = None,
    taxonomy: Path | None = None,
    taxonomy_order: edges.Order = "parent-child",
    class_names: Path | None = None,
    missing: Sequence[str] | None = None,
    val: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
) -> Dataset:
    """Read the table at `path`, decode its images into `pictures`, and return its items in the table's order.

    Paths of images are relative to `image_root`, by default the table's folder; their files have to lie in one of
    these, links followed, unless `outside` allows others. `splits` maps the values of the split column to train, val,
    test, test_<name> or "ignore"; a split's name needs no mapping. Without a split column, `val` and `test` are the
    shares of a random split by group; with one that leaves val empty, the share `val` of train becomes val, of each
    class alike where there are labels and no groups, else by group. `taxonomy` is a file that edges.read takes,
    `class_names` one with names of its nodes, or without a taxonomy of the labels; by default those that a Parquet
    file of Hugging Face notes itself. `missing`: the words that stand for nothing (see Rows). Columns of categories
    are a taxonomy by themselves. Without an id column the row number is the id; without a group an item is its own,
    and where splits are drawn, rows of one picture are a group. Faults of rows are added to `problems`. Raises
    KithError for what makes the whole table unreadable: a missing file, a broken taxonomy.
    """
    check_map(splits or {})
    called = _class_names(path, columns, class_names)
    nodes = TAXONOMY.empty_table() if taxonomy is None else edges.read(taxonomy, taxonomy_order, called)
    parser = Rows(columns, splits or {}, problems, missing)
    loader = pictures.loader(image_root or home(path), fit)
    loader = replace(loader, within=() if outside else folders(path, image_root))
    rows, changed = _whole(_table(_read(path, columns, parser, loader, pictures, problems)), columns, problems)
    nodes = parser.categories.table() if columns.categories else nodes
    if not rows.num_rows and not problems.count:
        raise KithError(f"{path}: no row is left to use; mend fetch.path, fetch.splits or prepare.skip")
    with suppress(KithError) if problems.count else nullcontext():
        rows = _split(rows, columns, val, test, seed)
    found = _items(rows, {} if nodes.num_rows else called, bool(columns.labels))
    remarks = (*parser.remarks(), *changed, *_alike(found))
    dataset = Dataset(found, nodes, tuple(problems.skipped), *_places(rows), remarks=remarks)
    items.check(dataset, pictures.count, problems, dict(columns.named()))
    return dataset


def _places(rows: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Of each item its row and its line in the table."""
    return rows["number"].to_numpy(), rows["line"].to_numpy()


def _alike(found: pa.Table) -> list[str]:
    """What is said of classes whose names look alike."""
    return [*alike(pc.unique(found["label_name"]).to_pylist())]


def folders(path: Path, image_root: Path | None) -> tuple[Path, ...]:
    """In which the pictures of a table may lie."""
    return tuple(filter(None, (home(path), image_root)))


def check_columns(path: Path, columns: Columns, image_root: Path | None = None) -> None:
    """Raise KithError unless the table has each of `columns` once, they hold pictures or texts, and `image_root` is
    a directory. All faults are named, a line each."""
    if faults := column_faults(path, columns, image_root):
        raise KithError("\n".join(message for _, message in faults))


def column_faults(path: Path, columns: Columns, image_root: Path | None = None) -> list[tuple[str, str]]:
    """(column, message) of what `check_columns` refuses; the column is "" where it is none's.

    Raises KithError for a file that is no table.
    """
    if columns.image is None and not columns.texts:
        return [("", "fetch.columns: neither image nor texts; name the column of at least one")]
    there = readers.columns(path)
    faults = []
    if image_root is not None and not image_root.is_dir():
        faults.append((columns.image or "", f"{image_root}: no such directory; mend fetch.image_root"))
    for field, name in columns.named():
        if there.count(name) > 1:
            faults.append((name, f"{path}: column '{name}' is there {there.count(name)} times; rename all but one"))
        if name not in there:
            close = difflib.get_close_matches(name, there, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            known = ", ".join(there)
            faults.append((name, f"{path}: no column '{name}' (fetch.columns.{field}); the columns are: {known}{hint}"))
    return faults


def _read(
    path: Path, columns: Columns, parser: Rows, loader: Loader, pictures: Sink, problems: Problems
) -> Iterator[ParsedRow]:
    """The rows to use, with their pictures decoded batch by batch and stored in order."""

    def broken(where: Where, message: str) -> None:
        problems.add(Problem("row", where.row, "", "", message, where.place))

    with ThreadPoolExecutor(THREADS) as pool:
        names = [name for field, name in columns.named() if field != "extras"]
        for batch in readers.batches(path, names, broken):
            parsed = [(parser.parse(where, cells), cells) for where, cells in batch.rows()]
            kept = [(row, values) for row, values in parsed if row is not None]
            if columns.image is None:
                yield from (row for row, _ in kept if row.split)
                continue
            loaded = pool.map(loader, [values[columns.image] for _, values in kept])
            for (row, _), picture in zip(kept, loaded, strict=True):
                if isinstance(picture, Unusable):
                    where = Where(row.number, row.line)
                    problems.add(Problem(picture.kind, where.row, row.id, columns.image, picture.message, where.place))
                elif row.split:
                    yield row._replace(image_row=pictures.append(picture))


def _table(rows: Iterator[ParsedRow]) -> pa.Table:
    """All `rows` (schema ROWS)."""
    pieces = []
    while piece := list(itertools.islice(rows, PIECE)):
        values = dict(zip(ParsedRow._fields, zip(*piece, strict=True), strict=True))
        pieces.append(pa.RecordBatch.from_pydict(values, schema=ROWS))
    return pa.Table.from_batches(pieces, schema=ROWS)


def _whole(rows: pa.Table, columns: Columns, problems: Problems) -> tuple[pa.Table, list[str]]:
    """With ids, groups and labels as whole numbers where a column writes them with a point or an exponent, 3.0 or
    1e+05, and what is to be said of the latter. Numbers that a spreadsheet has cut short are problems."""
    told = []
    for name in ("id", "group", "label"):
        column, words = rows[name].combine_chunks(), pc.unique(rows[name]).to_pylist()
        called = getattr(columns, name) or ""
        if called and (cut := shortened(words)):
            _note_shortened(rows.filter(pc.is_in(column, pa.array(cut))), name, called, problems)
        if mended := whole(words):
            encoded = column.dictionary_encode()
            values = pa.array([mended.get(each, each) for each in encoded.dictionary.to_pylist()], pa.string())
            rows = rows.set_column(ROWS.get_field_index(name), ROWS.field(name), values.take(encoded.indices))
            if called and (powers := [each for each in mended if "e" in each]):
                told.append(f"column '{called}': '{powers[0]}' is read as {mended[powers[0]]}, as the others are whole")
    return rows, told


def _note_shortened(rows: pa.Table, name: str, column: str, problems: Problems) -> None:
    for row in rows.to_pylist():
        where = Where(row["number"], row["line"])
        said = f"'{row[name]}' is a number that a spreadsheet has cut short; save the column as text"
        problems.add(Problem(name, where.row, row["id"], column, said, where.place))


def _split(rows: pa.Table, columns: Columns, val: float, test: float, seed: int) -> pa.Table:
    """The rows with the splits that the table does not give; without groups either, rows of one picture get one."""
    if columns.split is None:
        if columns.group:
            return _with(rows, random_split(rows["group"], val, test, seed))
        return _drawn(_grouped(rows), val, test, seed)
    given = rows["split"].to_numpy()
    train = np.flatnonzero(given == "train")
    groups = rows["group"].take(train)
    if not val or "val" in given or len(groups.unique()) < 2:
        return rows
    if (columns.label or columns.categories) and not columns.group:
        labels = _numbered(rows["label"].take(train))[0]
        given[train] = split_by_class(labels, groups.to_pandas(), val, 0, seed)
    else:
        given[train] = random_split(groups, val, 0, seed)
    return _with(rows, given)


def _grouped(rows: pa.Table) -> pa.Table:
    together = duplicates.groups(rows["id"], rows["image_row"].to_numpy())
    return rows.set_column(ROWS.get_field_index("group"), ROWS.field("group"), together)


def _drawn(rows: pa.Table, val: float, test: float, seed: int) -> pa.Table:
    """With random splits by the groups of `_grouped`."""
    try:
        return _with(rows, random_split(rows["group"], val, test, seed))
    except KithError as error:
        if len(rows["group"].unique()) == len(rows):
            raise
        raise KithError(
            f"{error}; rows of one picture are a group, unless fetch.columns.group says otherwise"
        ) from None


def _with(rows: pa.Table, splits: np.ndarray) -> pa.Table:
    return rows.set_column(ROWS.get_field_index("split"), ROWS.field("split"), pa.array(splits, pa.string()))


def _numbered(labels: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """`labels.numbered`, of each different value once."""
    encoded = labels.combine_chunks().dictionary_encode()
    numbers, called = numbered(encoded.dictionary.to_pylist())
    index = encoded.indices.to_numpy()
    return numbers[index], pa.array(called, pa.string()).take(encoded.indices)


def _items(rows: pa.Table, called: Mapping[str, str], several: bool) -> pa.Table:
    """Items; called: names of labels that are shown in their place; several: whether each may have more than one."""
    labels, names = _numbered(rows["label"])
    if called:
        encoded = names.dictionary_encode()
        words = encoded.dictionary.to_pylist()
        shown = readable([*called, *filter(None, words)], called)
        names = pa.array([shown.get(name, name) for name in words], pa.string()).take(encoded.indices)
    values = {name: rows[name] for name in ITEMS.names if name in rows.column_names}
    found = pa.table({**values, "label": labels, "label_name": names}).select(ITEMS.names).cast(ITEMS)
    return items.with_sets(found, _shown(rows["labels"].to_pylist(), called)) if several else found


def _shown(sets: list[list[str]], called: Mapping[str, str]) -> list[list[str]]:
    """The labels of each item, as they are called."""
    names = readable({name: None for labels in sets for name in labels}, called)
    return [[names[name] for name in labels] for labels in sets]


def _class_names(path: Path, columns: Columns, file: Path | None) -> dict[str, str]:
    if file is not None:
        return read_names(file)
    return readers.class_names(path, columns.label) if columns.label else {}

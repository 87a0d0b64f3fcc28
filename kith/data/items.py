"""The item schema: what every source hands over, and the check that it does."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import SupportsIndex

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kith.data import splits
from kith.data.problems import Problem, Problems, Where
from kith.errors import KithError, listed

ITEMS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("label", pa.int64(), nullable=False),
        pa.field("label_name", pa.string(), nullable=False),
        pa.field("texts", pa.list_(pa.string()), nullable=False),
        pa.field("group", pa.string(), nullable=False),
        pa.field("image_row", pa.int64(), nullable=False),
    ]
)

# Of data whose items have several labels each: their names, and `label` is unknown, -1.
LABELS = pa.field("labels", pa.list_(pa.string()), nullable=False)
ITEMS_OF_SETS = ITEMS.append(LABELS)

LEAST = 2  # items of a split, to train on or to measure: one alone has nothing to be told from

# A label is the node whose `child` is its label_name; `name` is how a node is shown.
TAXONOMY = pa.schema([pa.field(name, pa.string(), nullable=False) for name in ("parent", "child", "name")])


@dataclass(frozen=True)
class Dataset:
    """What a source hands over: items (ITEMS or ITEMS_OF_SETS), taxonomy (TAXONOMY, maybe empty), the rows it left out.

    `rows` is the row of the source that each item comes from, for messages; None: the item's own row. `lines`: the
    line on which it begins, 0 where there are none; None: nowhere. `extras`: the id and other columns of the items, as
    texts. `remarks`: what a user should know of it.
    """

    items: pa.Table
    taxonomy: pa.Table = field(default_factory=TAXONOMY.empty_table)
    skipped: tuple[Problem, ...] = ()
    rows: np.ndarray | None = None
    lines: np.ndarray | None = None
    extras: pa.Table | None = None
    remarks: tuple[str, ...] = ()

    def where(self, index: int) -> Where:
        """Where in the source an item is."""
        row = index if self.rows is None else int(self.rows[index])
        return Where(row, 0 if self.lines is None else int(self.lines[index]))


def check(dataset: Dataset, pictures: int, problems: Problems, columns: Mapping[str, str] | None = None) -> None:
    """Add to `problems` every breach of the item contract; `pictures` is how many there are.

    Checked: types, unique and non-empty ids, known splits, labels (at least -1, one name each, and in the
    taxonomy where there is one), or several of them (not empty, none twice), non-empty texts, image rows in range, no
    group in two of train, val, test.
    `columns` names the source's column for an item field where it differs.
    """
    items = dataset.items
    if not items.schema.equals(ITEMS) and not items.schema.equals(ITEMS_OF_SETS):
        raise TypeError(f"items have schema {items.schema}, expected {ITEMS}")
    frame = items.select(["id", "split", "label", "label_name", "group"]).to_pandas()
    nodes = set(pc.unique(dataset.taxonomy["child"]).to_pylist()) | set(dataset.taxonomy["parent"].to_pylist())
    faults = [_ids(frame, dataset), _splits(frame), _groups(frame, dataset), _labels(frame), _texts(items["texts"])]
    if has_sets(items):
        faults.append(_sets(items))
    if nodes:
        faults.append(_nodes(frame, nodes))
    for name, index, message in (fault for found in faults for fault in found):
        column = (columns or {}).get(name) or name
        where = dataset.where(int(index))
        problems.add(Problem(name, where.row, frame["id"].iat[int(index)], column, message, where.place))
    least, most = pc.min_max(items["image_row"]).as_py().values()
    if len(frame) and not -1 <= least <= most < pictures:
        raise ValueError(f"image_row outside -1…{pictures - 1}")


def has_sets(items: pa.Table) -> bool:
    """Whether the items have several labels each.

    >>> has_sets(ITEMS.empty_table()), has_sets(ITEMS_OF_SETS.empty_table())
    (False, True)
    """
    return LABELS.name in items.column_names


def with_sets(items: pa.Table, sets: list[list[str]]) -> pa.Table:
    """The items (schema ITEMS) with several labels each, in place of one (schema ITEMS_OF_SETS).

    >>> one = {"id": ["a"], "split": ["train"], "label": [3], "label_name": ["x"], "texts": [[]], "group": ["a"]}
    >>> found = with_sets(pa.table({**one, "image_row": [0]}, schema=ITEMS), [["sky", "sea"]])
    >>> found["labels"].to_pylist(), found["label"].to_pylist()
    ([['sky', 'sea']], [-1])
    """
    columns = {name: items[name] for name in ITEMS.names}
    unknown = {"label": [-1] * len(items), "label_name": [""] * len(items)}
    return pa.table({**columns, **unknown, "labels": sets}, schema=ITEMS_OF_SETS)


def unseen_classes(items: pa.Table) -> list[str]:
    """What is to be said of a few classes that no training item has: most are, so these may be a mistake.

    >>> row = {"split": ["train", "train", "test"], "label": [0, 1, 2], "label_name": ["a", "b", "c"]}
    >>> unseen_classes(pa.table(row))
    ["1 class has no item in train: 'c'"]
    """
    known = items.select(["split", "label", "label_name"]).to_pandas()
    known = known[known["label"] >= 0]
    trained = set(known["label"][known["split"] == "train"])
    unseen = known[~known["label"].isin(trained)]["label_name"].drop_duplicates().sort_values()
    if not len(unseen) or len(unseen) >= len(trained):
        return []
    count = f"{len(unseen):,} {'class has' if len(unseen) == 1 else 'classes have'}"
    return [f"{count} no item in train: {listed(list(unseen))}"]


def check_train(dataset: Dataset, source: object) -> None:
    """Raise KithError, with the name of the `source`, unless an item is in train."""
    if not pc.any(pc.equal(dataset.items["split"], "train")).as_py():
        raise KithError(f"{source}: no item to train on; give some rows the split train")


def small_splits(items: pa.Table) -> list[str]:
    """A line for each split that is too small to be trained on, to choose an epoch by, or to be measured.

    >>> rows = ["train"] * 4 + ["val"] * 2 + ["test"]
    >>> small_splits(pa.table({"split": rows}))
    ["split 'test' has 1 item, and 2 are needed; give it more, or set the share prepare.test"]
    """
    counts = Counter(items["split"].to_pylist())
    asked = ["train", "val", *sorted(split for split in counts if split.startswith("test"))]
    what = {"val": ", or set the share prepare.val", "test": ", or set the share prepare.test"}
    return [
        f"split '{split}' has {counts[split]} item{'' if counts[split] == 1 else 's'}, and {LEAST} are needed; "
        f"give it more{what.get(split, '')}"
        for split in asked
        if counts[split] < LEAST
    ]


Fault = tuple[str, SupportsIndex, str]


def _ids(frame: pd.DataFrame, dataset: Dataset) -> Iterator[Fault]:
    for index in np.flatnonzero(frame["id"] == ""):
        yield "id", index, "is empty; every item needs an id"
    if pc.count_distinct(pa.array(frame["id"])).as_py() == len(frame):
        return
    first = pd.Series(np.arange(len(frame))).groupby(frame["id"].to_numpy(), sort=False).transform("first").to_numpy()
    for index in np.flatnonzero(frame["id"].duplicated() & (frame["id"] != "")):
        yield "id", index, f"already used by {dataset.where(first[index])}; ids must be unique"


def _splits(frame: pd.DataFrame) -> Iterator[Fault]:
    unknown = frame["split"][~frame["split"].map(splits.known).astype(bool)].drop_duplicates()
    for index, value in unknown.items():
        yield "split", int(str(index)), f"unknown split '{value}'; splits are {splits.NAMES}"


def _groups(frame: pd.DataFrame, dataset: Dataset) -> Iterator[Fault]:
    main = frame.assign(row=np.arange(len(frame)))[frame["split"].isin(splits.MAIN)]
    first = main.groupby("group", sort=False)[["split", "row"]].transform("first")
    apart = main.assign(first=first["split"], since=first["row"])[main["split"] != first["split"]]
    for item in apart.drop_duplicates("group").itertuples():
        yield (
            "group",
            int(item.Index),
            f"group '{item.group}' is split apart: here in {item.split}, in {dataset.where(item.since)} in "
            f"{item.first}; put a group into one split",
        )


def _labels(frame: pd.DataFrame) -> Iterator[Fault]:
    for index in np.flatnonzero(frame["label"] < -1):
        yield "label", index, f"is {frame['label'].iat[index]}; labels are 0 or more, -1 where unknown"
    names = frame.groupby("label", sort=False)["label_name"].transform("first")
    for index in np.flatnonzero(frame["label_name"] != names):
        label, name = frame["label"].iat[index], frame["label_name"].iat[index]
        yield "label", index, f"label {label} has two names, '{names.iat[index]}' and '{name}'"


def _nodes(frame: pd.DataFrame, nodes: set[str]) -> Iterator[Fault]:
    labelled = frame["label_name"][frame["label"] >= 0].drop_duplicates()
    for index, name in labelled[~labelled.isin(list(nodes))].items():
        yield "label", int(str(index)), f"'{name}' is not in the taxonomy; add it there, or mend the label"


def _sets(items: pa.Table) -> Iterator[Fault]:
    for index, (label, names) in enumerate(zip(items["label"].to_pylist(), items["labels"].to_pylist(), strict=True)):
        if label != -1:
            yield "labels", index, "has a label beside its labels; give one of both"
        if not all(names) or len(set(names)) < len(names):
            yield "labels", index, f"has an empty label, or one twice: {names}"


def _texts(texts: pa.ChunkedArray) -> Iterator[Fault]:
    start = 0
    for piece in texts.chunks:
        blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(pc.fill_null(piece.flatten(), ""))), 0)
        for index in np.unique(pc.list_parent_indices(piece).filter(blank).to_numpy()):
            yield "texts", start + index, "a text is empty"
        start += len(piece)

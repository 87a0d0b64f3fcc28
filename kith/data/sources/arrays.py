"""Any two views as arrays: an .npz file, a folder of .npy files, or list columns of a Parquet file."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kith.data.kinds import Vectors

if TYPE_CHECKING:
    from kith.data.arrays import TwoViews


def two_arrays(path: Path, *, arrays: Mapping[str, str | None], val: float, test: float, seed: int) -> "TwoViews":
    """Row i of both views belongs to item i.

    `arrays`: names of the arrays, two views, image and text, and of each item, where there are any, id, split, label,
    group and texts. Without ids the row number is the id, without groups an item is its own, and without splits `val`
    and `test` are the shares of a random split by group. Raises KithError for whatever does not fit.
    """
    from kith.data import items
    from kith.data.arrays import SIDES, Arrays, Feature, TwoViews, described, same_rows
    from kith.data.problems import Problems
    from kith.data.splits import random_split, spelled

    names = {"image": "image", "text": "text", **arrays}
    there = Arrays(path)
    views = {side: there.features(names[side] or side) for side in SIDES}
    count = same_rows(path, {names[side] or side: view for side, view in views.items()})

    def column(field: str, default: Any) -> list[Any]:
        name = names.get(field)
        return list(default) if name is None else there.column(name, count).tolist()

    ids = [str(each) for each in column("id", range(count))]
    groups = [str(each) for each in column("group", ids)]
    drawn: Any = [] if names.get("split") else random_split(groups, val, test, seed)
    split = [spelled(str(each)) for each in column("split", drawn)]
    texts = [[str(each)] for each in column("texts", [])]
    dataset = described(ids, split, groups, texts, column("label", [None] * count))
    problems = Problems(str(path))
    items.check(dataset, count, problems, {field: name for field, name in names.items() if name})
    problems.raise_any()
    rows = np.arange(count)
    return TwoViews(dataset, {side: Feature([(names[side] or side, view, rows)]) for side, view in views.items()})


SOURCES = (
    Vectors(name="arrays", read=two_arrays, named=False, layout="arrays of two views: [a new problem](new-problem.md)"),
)

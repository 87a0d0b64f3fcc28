"""Pictures that several items show: in train and test at once, they would be learned and asked for."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def groups(ids: pa.ChunkedArray, image_rows: np.ndarray) -> pa.ChunkedArray:
    """(n,) strings: of each item the id of the first item with the same picture, or its own id.

    ids: (n,) strings; image_rows: (n,) integers, equal where pictures are, below 0 where there is none.

    >>> groups(pa.chunked_array([["a", "b", "c", "d"]]), np.array([0, -1, 0, -1])).to_pylist()
    ['a', 'b', 'a', 'd']
    """
    first = np.arange(len(image_rows))
    shown = np.flatnonzero(image_rows >= 0)
    _, firsts, own = np.unique(image_rows[shown], return_index=True, return_inverse=True)
    first[shown] = shown[firsts[own]]
    return ids.take(pa.array(first))


def together(split: np.ndarray, groups: Sequence[str] | np.ndarray, image_rows: np.ndarray) -> np.ndarray:
    """(n,) splits: items of one group, or of one picture, are in the split of the first of them.

    split: (n,) names; groups: (n,) what names them; image_rows: (n,) integers as in `groups`.

    >>> together(np.array(["train", "test", "val"]), ["a", "b", "b"], np.array([0, 0, 1])).tolist()
    ['train', 'train', 'train']
    """
    # It takes as long as all the rest of a stage's start.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, group = np.unique(groups, return_inverse=True)
    shown = np.flatnonzero(image_rows >= 0)
    count = group.max(initial=-1) + 1
    size = count + int(image_rows.max(initial=-1)) + 1
    pairs = coo_array((np.ones(len(shown)), (group[shown], count + image_rows[shown])), shape=(size, size))
    if not size:
        return split
    _, part = connected_components(pairs, directed=False)
    _, first, own = np.unique(part[group], return_index=True, return_inverse=True)
    return split[first[own]]


def remarks(items: pa.Table, table: bool = True) -> list[str]:
    """Lines of pictures that several items show. items: of the schema ITEMS; equal pictures have the same image_row.
    table: whether they are rows of a table, which may have a column of groups.

    >>> columns = {"id": ["a", "b", "c"], "image_row": [0, 0, 1], "group": ["a", "b", "c"]}
    >>> remarks(pa.table({**columns, "split": ["train", "test", "train"]}))[0].split(";")[0]
    '1 picture is in rows of several groups, 1 of them in several splits'
    """
    shown = items.select(["id", "image_row", "group", "split"]).filter(pc.greater_equal(items["image_row"], 0))
    asked = [("group", "count_distinct"), ("split", "count_distinct"), ("id", "count"), ("id", "first")]
    counts = shown.group_by("image_row", use_threads=False).aggregate([*asked, ("group", "first")])
    several = counts.filter(pc.greater(counts["group_count_distinct"], 1))
    return [*_torn(several), *_joined(counts)] if table else _copies(several)


def _copies(several: pa.Table) -> list[str]:
    """Of pictures in files: there is no column to name."""
    if not several.num_rows:
        return []
    return [f"{_pictures(several)} there several times (such as {several['id_first'][0]}){_where(several)}"]


def _pictures(rows: pa.Table) -> str:
    return "1 picture is" if rows.num_rows == 1 else f"{rows.num_rows:,} pictures are"


def _torn(several: pa.Table) -> list[str]:
    if not several.num_rows:
        return []
    return [
        f"{_pictures(several)} in rows of several groups{_where(several)}; rows of one picture belong "
        "together: give them one group (fetch.columns.group), such as the file of the picture"
    ]


def _where(several: pa.Table) -> str:
    torn = pc.sum(pc.greater(several["split_count_distinct"], 1)).as_py()
    return f", {torn:,} of them in several splits" if torn else ""


def _joined(counts: pa.Table) -> list[str]:
    """Of rows that no column has made a group: their group is the first one's id."""
    alike = pc.and_(pc.equal(counts["group_count_distinct"], 1), pc.greater(counts["id_count"], 1))
    joined = counts.filter(pc.and_(alike, pc.equal(counts["group_first"], counts["id_first"])))
    if not joined.num_rows:
        return []
    most = pc.max(joined["id_count"]).as_py()
    return [
        f"{_pictures(joined)} in several rows, at most {most:,} rows each; rows of one picture are a "
        "group, in one split; if they are not, name a column of groups (fetch.columns.group), the ids if each row is "
        "its own"
    ]

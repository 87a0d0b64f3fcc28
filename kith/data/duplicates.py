"""Pictures that several items show: without a common group they may be learned and asked for at once."""

import pyarrow as pa
import pyarrow.compute as pc


def remarks(items: pa.Table) -> list[str]:
    """A line where pictures are shown by items of several groups. items: of the schema ITEMS; equal pictures have the
    same image_row.

    >>> columns = {"image_row": [0, 0, 1], "group": ["a", "b", "c"], "split": ["train", "test", "train"]}
    >>> remarks(pa.table(columns))[0].split(";")[0]
    '1 pictures are in rows of several groups, 1 of them in several splits'
    """
    shown = items.select(["image_row", "group", "split"]).filter(pc.greater_equal(items["image_row"], 0))
    counts = shown.group_by("image_row").aggregate([("group", "count_distinct"), ("split", "count_distinct")])
    several = counts.filter(pc.greater(counts["group_count_distinct"], 1))
    if not several.num_rows:
        return []
    torn = pc.sum(pc.greater(several["split_count_distinct"], 1)).as_py() or 0
    where = f", {torn:,} of them in several splits" if torn else ""
    return [
        f"{several.num_rows:,} pictures are in rows of several groups{where}; rows of one picture belong together: "
        "name a column of groups (fetch.columns.group), such as that of the pictures' files"
    ]

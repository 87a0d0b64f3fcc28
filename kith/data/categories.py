"""A taxonomy from columns of categories, such as Clothing, Shoes, Boots."""

from collections.abc import Sequence

import pyarrow as pa

from kith.data.items import TAXONOMY

ROOT = "all"
SEPARATOR = " > "


class Categories:
    """Collects the paths of categories that rows have, from the widest to the narrowest.

    A node is called by its path ("Women > Shoes"), so that equal names under different parents stay apart.
    """

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}  # path → path of its parent

    def label(self, path: Sequence[str]) -> tuple[str, str]:
        """The label of an item in the category `path`, and what is wrong with the path, empty if nothing.

        Narrower levels may be empty; without any level the label is empty, which means unknown.
        """
        levels = list(path)
        while levels and not levels[-1]:
            levels.pop()
        if not all(levels):
            return "", "a wider category is empty; fill it in, or leave this one empty too"
        if broken := next((level for level in levels if SEPARATOR in level), None):
            return "", f"'{broken}' has '{SEPARATOR}' in it, which stands between levels; put each level into a column"
        parent = ROOT
        for depth in range(1, len(levels) + 1):
            node = SEPARATOR.join(levels[:depth])
            self._parents.setdefault(node, parent)
            parent = node
        return SEPARATOR.join(levels), ""

    def table(self) -> pa.Table:
        """All categories, with the parents that they lie in (schema TAXONOMY), under one root, sorted.

        A node is shown by its path, whatever else the table holds; figures shorten it (kith.taxonomy.narrowest).
        """
        edges = [
            {"parent": parent, "child": node, "name": node}
            for node, parent in sorted(self._parents.items())
            if node != ROOT
        ]
        return pa.Table.from_pylist(edges, schema=TAXONOMY)

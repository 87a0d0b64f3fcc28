"""What a search can be narrowed by: the label or its place in a taxonomy, the split, other columns; with counts."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from scipy import sparse

from kith.data.labels import are_whole
from kith.errors import UnanswerableError
from kith.store.prepared import Prepared
from kith.taxonomy.taxonomy import Taxonomy, narrowest

MOST_VALUES = 200  # of a column, to be chosen from
MOST_NUMBERS = 12  # of a column of whole numbers: more are measures
LISTED = 50  # values of a facet that an answer names
LONGEST = 60  # characters of a value

Where = Sequence[tuple[str, str]]  # facets by name, and the values that an item has to have


class Counts(NamedTuple):
    """How often values occur: among all items that pass the other filters, and among the nearest of them."""

    all: np.ndarray
    near: np.ndarray | None


class _Facet(Protocol):
    name: str

    def mask(self, values: Sequence[str]) -> np.ndarray:
        """(n_items,) bool: the items that have one of the values. Raises UnanswerableError for one that is none."""

    def told(self, passed: np.ndarray, near: np.ndarray | None, chosen: Sequence[str]) -> dict[str, Any]:
        """The facet with counts of the items `passed`, (n_items,) bool, and of those in the rows `near`."""


class Facets:
    """The facets of prepared data.

    columns: other columns of the items, as texts. rows: of the items that are searched at all; None: of all items.
    What is the same for all of them is no facet. A column is one if its values repeat, are short and are not too many.
    Filters on one facet add up, those on several have all to hold.
    """

    def __init__(self, data: Prepared, columns: pd.DataFrame, rows: np.ndarray | None = None):
        found: list[_Facet] = []
        chosen = slice(None) if rows is None else rows
        labels = data.table["label_name"].to_numpy(dtype=str)
        tree = data.taxonomy if "taxonomy.parquet" in data.dataset["checksums"] else None
        if tree is not None and len(tree) and (labels != "").any():
            found.append(_TreeFacet(labels, tree))
        elif "labels" in data.table:
            found.append(_SetFacet("label", "Label", data.table["labels"].tolist()))
        elif len(np.unique(labels[chosen])) > 1:
            found.append(_ListFacet("label", "Label", labels))
        for name in columns:
            values = columns[name].to_numpy(dtype=str)
            if _repeats(values[chosen]):
                found.append(_ListFacet(f"column.{str(name).replace(':', ' ')}", str(name), values))
        if len(set(data.splits[chosen])) > 1:
            found.append(_ListFacet("split", "Split", data.splits.astype(str)))
        self._facets: Mapping[str, _Facet] = {facet.name: facet for facet in found}

    def mask(self, where: Where, but: str | None = None) -> np.ndarray | None:
        """(n_items,) bool, the items that pass all filters but those on the facet `but`; None where there are none.

        Raises UnanswerableError for a facet or a value that is not there."""
        passed = None
        for name in dict.fromkeys(name for name, _ in where if name != but):
            if name not in self._facets:
                known = ", ".join(self._facets) or "none"
                raise UnanswerableError(f"where: there is no facet '{name}'; there are {known}")
            one = self._facets[name].mask([value for each, value in where if each == name])
            passed = one if passed is None else passed & one
        return passed

    def told(self, searched: np.ndarray, near: np.ndarray | None, where: Where) -> list[dict[str, Any]]:
        """Every facet with the counts of its values, as the page shows them.

        searched: (n_items,) bool, what is searched at all; near: rows of the nearest items, None without a query.
        """
        found = []
        for name, facet in self._facets.items():
            others = self.mask(where, but=name)
            passed = searched if others is None else searched & others
            found.append(facet.told(passed, near, [value for each, value in where if each == name]))
        return [facet for facet in found if facet["values"] or facet["path"]]


class _ListFacet:
    """Values side by side, of which an item has one, or none ("")."""

    def __init__(self, name: str, title: str, values: np.ndarray):
        self.name, self.title = name, title
        self.values, codes = np.unique(values, return_inverse=True)
        self._codes = codes.reshape(-1)
        self._place = {value: place for place, value in enumerate(self.values.tolist())}

    def mask(self, values: Sequence[str]) -> np.ndarray:
        if unknown := [value for value in values if value not in self._place]:
            raise UnanswerableError(f"where: no item has the {self.title.lower()} '{unknown[0]}'")
        return np.isin(self._codes, [self._place[value] for value in values])

    def _counts(self, rows: np.ndarray) -> np.ndarray:
        """(n_values,) how many of the items have each value."""
        return np.bincount(self._codes[rows], minlength=len(self.values))

    def told(self, passed: np.ndarray, near: np.ndarray | None, chosen: Sequence[str]) -> dict[str, Any]:
        counts = self._counts(passed)
        nearest = None if near is None else self._counts(near)
        named = [place for place, value in enumerate(self.values) if value and (counts[place] or value in chosen)]
        values = [
            {"value": str(self.values[place]), "title": narrowest(str(self.values[place]))}
            | _numbers(place, counts, nearest)
            | {"chosen": self.values[place] in chosen}
            for place in _ordered(named, counts, nearest)
        ]
        kept = [value for place, value in enumerate(values) if place < LISTED or value["chosen"]]
        told = {"name": self.name, "title": self.title, "kind": "list", "path": []}
        return told | {"values": kept, "more": len(values) - len(kept)}


class _SetFacet(_ListFacet):
    """Values of which an item may have several, or none."""

    def __init__(self, name: str, title: str, values: Sequence[Sequence[str]]):
        flat = [value for each in values for value in each]
        super().__init__(name, title, np.array(flat, dtype=str))
        owner = np.repeat(np.arange(len(values)), [len(each) for each in values])
        shape = len(values), len(self.values)
        self._sets = sparse.csr_array((np.ones(len(flat), dtype=np.int64), (owner, self._codes)), shape=shape)

    def mask(self, values: Sequence[str]) -> np.ndarray:
        super().mask(values)
        return self._sets[:, [self._place[value] for value in values]].sum(axis=1) > 0

    def _counts(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(self._sets[np.flatnonzero(rows) if rows.dtype == bool else rows].sum(axis=0))


class _TreeFacet:
    """The levels of a taxonomy: one node at a time is chosen, and stands for all below it."""

    name, title = "label", "Category"

    def __init__(self, labels: np.ndarray, edges: pd.DataFrame):
        names = dict(zip(edges["child"].astype(str), edges["name"].astype(str), strict=True))
        pairs = zip(edges["parent"].astype(str), edges["child"].astype(str), strict=True)
        self._tree = Taxonomy.from_edges(pairs, names)
        nodes, self._place = self._tree.nodes, {node: place for place, node in enumerate(self._tree.nodes)}
        found, codes = np.unique(labels, return_inverse=True)
        self._codes = codes.reshape(-1)
        # Of each label its node, of one that is none the place after all nodes.
        self._at = np.array([self._place.get(label, len(nodes)) for label in found.tolist()], dtype=np.int64)
        above = [
            (code, self._place[node])
            for code, label in enumerate(found.tolist())
            if label in self._tree
            for node in self._tree.ancestors(label)
        ]
        rows, columns = np.array(above, dtype=np.int64).reshape(-1, 2).T
        shape = (len(found), len(nodes))
        # (labels, nodes): whether a label lies below a node, or is it.
        self._below = sparse.csc_array((np.ones(len(rows), dtype=np.int64), (rows, columns)), shape=shape)
        self._children: list[list[int]] = [[] for _ in nodes]
        for parent, child in self._tree.edges.tolist():
            self._children[parent].append(child)

    def mask(self, values: Sequence[str]) -> np.ndarray:
        if unknown := [value for value in values if value not in self._place]:
            raise UnanswerableError(f"where: the taxonomy has no node '{unknown[0]}'")
        wanted = self._below[:, [self._place[value] for value in values]].sum(axis=1) > 0
        return np.asarray(wanted)[self._codes]

    def told(self, passed: np.ndarray, near: np.ndarray | None, chosen: Sequence[str]) -> dict[str, Any]:
        counts = self._counted(self._codes[passed])
        nearest = None if near is None else self._counted(self._codes[near])
        place = self._place[chosen[-1]] if chosen else None
        below = self._roots() if place is None else self._children[place]
        here = np.bincount(self._at[self._codes[passed]], minlength=len(counts) + 1)  # items of the node itself
        while len(below := [child for child in below if counts[child]]) == 1 and not here[below[0]]:
            below = self._children[below[0]]  # a level with nothing to choose
        order = _ordered([self._narrow(child, counts) for child in below], counts, nearest)
        values = [self._node(child, counts, nearest) for child in order[:LISTED]]
        path = [] if place is None else self._path(place, counts)
        told = {"name": self.name, "title": self.title, "kind": "tree", "path": path}
        return told | {"values": values, "more": len(order) - len(values)}

    def _node(self, place: int, counts: np.ndarray, nearest: np.ndarray | None) -> dict[str, Any]:
        node = self._tree.nodes[place]
        named = {"value": str(node), "title": narrowest(self._tree.name(node))}
        return named | _numbers(place, counts, nearest) | {"chosen": False}

    def _counted(self, codes: np.ndarray) -> np.ndarray:
        return self._below.T @ np.bincount(codes, minlength=self._below.shape[0])

    def _roots(self) -> list[int]:
        return [self._place[root] for root in self._tree.roots]

    def _narrow(self, place: int, counts: np.ndarray) -> int:
        """The lowest node that has all items of this one."""
        while len(inner := [child for child in self._children[place] if counts[child]]) == 1:
            if counts[inner[0]] != counts[place]:
                break
            place = inner[0]
        return place

    def _path(self, place: int, counts: np.ndarray) -> list[dict[str, Any]]:
        """From below the root to the node itself, without levels at which there was nothing to choose."""
        path = [place]
        while parents := self._tree.parents[path[0]]:
            path.insert(0, parents[0])
        roots = set(self._roots())
        kept = [
            node
            for node, below in zip(path, [*path[1:], None], strict=True)
            if below is None or (node not in roots and counts[node] != counts[below])
        ]
        return [self._node(node, counts, None) for node in kept]


def _numbers(place: int, counts: np.ndarray, nearest: np.ndarray | None) -> dict[str, Any]:
    return {"count": int(counts[place]), "near": None if nearest is None else int(nearest[place])}


def _ordered(places: Sequence[int], counts: np.ndarray, nearest: np.ndarray | None) -> list[int]:
    """Most among the nearest first, then most of all, then as they were."""
    return sorted(places, key=lambda place: (0 if nearest is None else -nearest[place], -counts[place]))


def _repeats(values: np.ndarray) -> bool:
    """Whether a column is something to choose from."""
    different = pd.unique(pd.Series(values[values != ""]))
    most = MOST_NUMBERS if are_whole(different) else MOST_VALUES
    few = 1 < len(different) <= min(most, max(2, int(np.count_nonzero(values != "")) // 2))
    return bool(few and max(map(len, different)) <= LONGEST)

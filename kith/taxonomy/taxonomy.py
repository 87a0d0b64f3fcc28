"""A taxonomy: nodes, their parents and children, and what follows from them."""

import functools
import operator
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kith.errors import KithError, listed
from kith.taxonomy import files, levels, similarity, tree
from kith.taxonomy.files import Edge, Id

MEASURES = ("lcsh", "wup")
DEPTHS = ("longest", "shortest")


LEVELS = " > "  # between the levels of a path that a category is called by: men > shoes


def narrowest(name: str) -> str:
    """The last level of a category's path, for figures and for word vectors; any other name as it is.

    >>> narrowest("men > shoes"), narrowest("red fox")
    ('shoes', 'red fox')
    """
    return name.rpartition(LEVELS)[2]


class Taxonomy:
    """A directed acyclic graph of classes; a tree if no node has two parents.

    nodes: the ids in ascending order, all integers or all strings; arrays over nodes follow it.
    edges: (m, 2) int64 rows (parent, child) of positions in `nodes`, in the order they were given.
    names: what to show for an id, where it has a name.

    >>> animals = Taxonomy.from_edges([("thing", "animal"), ("animal", "cat"), ("animal", "dog"), ("thing", "car")])
    >>> animals.leaves, animals.lcs("cat", "dog")
    (['car', 'cat', 'dog'], 'animal')
    >>> animals.similarity().tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.5], [0.0, 0.5, 1.0]]
    """

    def __init__(self, edges: Iterable[tuple[Any, Any]], names: Mapping[Id, str] | None = None) -> None:
        pairs = list(dict.fromkeys((_plain(parent), _plain(child)) for parent, child in edges))
        if not pairs:
            raise KithError("taxonomy: has no edges; give at least one (parent, child)")
        found = {node for pair in pairs for node in pair}
        if len({type(node) for node in found}) > 1:
            example = ", ".join(repr(next(n for n in found if isinstance(n, kind))) for kind in (int, str))
            raise KithError(f"taxonomy: ids have to be all integers or all strings, not both: {example}")
        self.nodes: list[Id] = sorted(found)
        self.names = dict(names or {})
        self._position = {node: position for position, node in enumerate(self.nodes)}
        self.edges = np.array([[self._position[node] for node in pair] for pair in pairs], dtype=np.int64)
        self._down = levels.adjacency(self.edges, len(self.nodes))
        if (self._depths["longest"] == 0).any():
            walk = levels.cycle(self._down, self._depths["longest"] - 1)
            circle = " → ".join(str(self.nodes[position]) for position in [*walk, walk[0]])
            raise KithError(f"taxonomy: has a cycle, parent → child: {circle}; drop one of these edges")

    @classmethod
    def from_edges(cls, edges: Iterable[tuple[Any, Any]], names: Mapping[Id, str] | None = None) -> "Taxonomy":
        """The taxonomy of (parent, child) pairs, ids int or str; repeated pairs count once.

        Raises KithError for no pair at all, ids of both kinds, and a cycle, which it shows.
        """
        return cls(edges, names)

    @classmethod
    def read(cls, path: Path | str, order: str = "parent-child", ids: Callable[[str], Id] = int) -> "Taxonomy":
        """The taxonomy in a file of edges, as `files.read_edges` takes it; order: "parent-child" or "child-parent"."""
        edges = files.read_edges(Path(path), order, ids)
        return _of_file(path, lambda: cls(edges))

    @classmethod
    def read_indented(cls, path: Path | str, classes: Mapping[Id, str] | None = None) -> "Taxonomy":
        """The taxonomy in an indented file, as `files.read_indented` takes it, with names."""
        edges, names = files.read_indented(Path(path), classes)
        result = _of_file(path, lambda: cls(edges, names))
        if alone := [name for node, name in names.items() if node not in result]:
            raise KithError(f"{path}: {listed(alone)}: has neither parent nor children; indent it or drop it")
        return result

    def write(self, path: Path | str) -> None:
        """A file of the edges, parent and child, in their order: the same bytes each time."""
        files.write_edges(Path(path), self._pairs(self.edges))

    def __len__(self) -> int:
        return len(self.nodes)

    def __contains__(self, node: Any) -> bool:
        return node in self._position

    def positions(self, ids: Iterable[Any]) -> np.ndarray:
        """(n,) int64 positions of ids in `nodes`. Raises KithError that names ids which are not there."""
        ids = list(ids)
        if unknown := [node for node in ids if node not in self._position]:
            example = f"such as {self.nodes[0]!r}"
            raise KithError(f"taxonomy: has no node {listed(unknown)}; its ids are {len(self)} values {example}")
        return np.array([self._position[node] for node in ids], dtype=np.int64)

    def name(self, node: Id) -> str:
        """The name of a node, or its id where it has none."""
        return self.names.get(node, str(node))

    @functools.cached_property
    def parents(self) -> list[list[int]]:
        """The positions of each node's parents, in the order of the edges."""
        parents: list[list[int]] = [[] for _ in self.nodes]
        for parent, child in self.edges.tolist():
            parents[child].append(parent)
        return parents

    @functools.cached_property
    def heights(self) -> np.ndarray:
        """(nodes,) int64: 0 for a leaf, else 1 + the largest of its children's. The maximum is H."""
        return levels.longest(self._down.T.tocsr())

    def depths(self, kind: str = "longest") -> np.ndarray:
        """(nodes,) int64 nodes on the longest (or shortest) path from a root: 1 for a root."""
        return self._depths[_one_of(DEPTHS, kind, "depth")]

    @functools.cached_property
    def _depths(self) -> dict[str, np.ndarray]:
        return {"longest": levels.longest(self._down) + 1, "shortest": levels.shortest(self._down) + 1}

    @property
    def leaves(self) -> list[Id]:
        """Nodes without children, ascending."""
        return [self.nodes[position] for position in np.flatnonzero(self.heights == 0)]

    @property
    def roots(self) -> list[Id]:
        """Nodes without parents, ascending."""
        return [self.nodes[position] for position in np.flatnonzero(self._depths["longest"] == 1)]

    @functools.cached_property
    def is_tree(self) -> bool:
        """Whether no node has two parents (of several roots, each has its tree)."""
        return len(np.unique(self.edges[:, 1])) == len(self.edges)

    def classes(self, ids: Iterable[Any] | None = None) -> list[Id]:
        """A list of classes: the ids in their order, repeated ones dropped; None: the leaves, ascending."""
        return self.leaves if ids is None else [self.nodes[p] for p in dict.fromkeys(self.positions(ids).tolist())]

    def ancestors(self, node: Any) -> dict[Id, int]:
        """The fewest edges up from a node to each of its ancestors and to itself (0), nearest first."""
        return {self.nodes[p]: steps for p, steps in self._up(int(self.positions([node])[0])).items()}

    def lcs(self, a: Any, b: Any, depth: str = "longest") -> Id:
        """The lowest common subsumer of two nodes: their deepest common ancestor, either itself included.

        Of several the one of lowest height, then of the smallest id. depth: which `depths` to go by.
        Raises KithError that names both if they have none.
        """
        rank = self._rank[_one_of(DEPTHS, depth, "depth")]
        first, second = (self._up(position) for position in self.positions([a, b]).tolist())
        if not (common := first.keys() & second.keys()):
            raise self._unrelated(a, b)
        return self.nodes[max(common, key=rank.__getitem__)]

    def similarity(
        self, labels: Iterable[Any] | None = None, measure: str = "lcsh", depth: str = "longest"
    ) -> np.ndarray:
        """(n, n) float64 similarity of all pairs of labels; default: the leaves, ascending.

        measure: "lcsh", 1 − height(lcs) / H with H of the whole taxonomy; or "wup", Wu and Palmer's
        2·depth(lcs) / (depth(a) + depth(b)), with depths over the lcs. An inner node has an LCSH below 1 with
        itself. depth: which `depths` to go by. Raises KithError that names two labels without common ancestor.
        """
        rank = self._rank[_one_of(DEPTHS, depth, "depth")]
        positions = np.flatnonzero(self.heights == 0) if labels is None else self.positions(labels)
        if not len(positions):
            raise KithError("similarity: there are no labels; give some, or None for the leaves")
        up = [self._up(position) for position in positions.tolist()]
        groups = similarity.by_ancestor(up, rank)
        if _one_of(MEASURES, measure, "measure") == "lcsh":
            result = similarity.lcsh(groups, len(up), self.heights)
        else:
            # In a tree nothing above the lcs shortens the way.
            above = {ancestor: {ancestor: 0} if self.is_tree else self._up(ancestor) for ancestor, _ in groups}
            result = similarity.wup(groups, up, above, self.depths(depth))
        missing = np.isnan(result)
        if missing.any():
            raise self._unrelated(*(self.nodes[positions[i]] for i in divmod(int(missing.argmax()), len(up))))
        return result

    def pruned(self, classes: Iterable[Any]) -> "Taxonomy":
        """The taxonomy of some classes and their ancestors alone. Heights are its own: at most those before."""
        kept = np.zeros(len(self), dtype=bool)
        for position in self.positions(classes).tolist():
            kept[list(self._up(position))] = True
        # A child's parents are its ancestors: an edge is kept with its child.
        return Taxonomy(self._pairs(self.edges[kept[self.edges[:, 1]]]), self.names)

    def rooted(self, classes: list[Any], root: Any = "everything") -> "Taxonomy":
        """With `root` above all where two of the classes have nothing in common; else itself.

        >>> Taxonomy.from_edges([("line", "bar"), ("box", "square")]).rooted(["bar", "square"]).roots
        ['everything']

        Raises KithError that names classes which are missing.
        """
        self.positions(classes)
        try:
            self.similarity(classes)
        except KithError:
            return self._under(root, self.roots)
        return self

    def _under(self, root: Any, roots: Iterable[Id]) -> "Taxonomy":
        """With `root`, or where that cannot be an id here one that can, above some of the roots."""
        if isinstance(self.nodes[0], int):
            root = self.nodes[0] - 1 if not isinstance(root, int) or root in self else root
        while root in self:
            root += "_"
        edges = [*((root, above) for above in roots), *self._pairs(self.edges)]
        return Taxonomy.from_edges(edges, self.names)

    def to_tree(self, classes: Iterable[Any] | None = None) -> "Taxonomy":
        """The classes (default: the leaves) and one path to the root for each: see `tree.mintree`.

        Where several roots are above the classes, one is put above these, which stays if the tree needs it.

        >>> two = Taxonomy.from_edges([("pet", "cat"), ("beast", "cat"), ("cat", "manx"), ("cat", "siamese")])
        >>> two.to_tree().roots, two.to_tree().is_tree
        (['pet'], True)
        """
        classes = self.classes(classes)
        positions = self.positions(classes).tolist()
        above = {ancestor for position in positions for ancestor in self._up(position)}
        roots = sorted(position for position in above if not self.parents[position])
        if len(roots) > 1:
            whole = self._under("everything", [self.nodes[position] for position in roots]).to_tree(classes)
            below = [child for parent, child in whole._pairs(whole.edges) if parent == whole.roots[0]]
            return whole if len(below) > 1 else whole._without(whole.roots[0])
        chosen = tree.mintree(positions, self.parents, roots[0])
        return Taxonomy(((self.nodes[parent], self.nodes[child]) for child, parent in chosen.items()), self.names)

    def _without(self, root: Id) -> "Taxonomy":
        return Taxonomy((pair for pair in self._pairs(self.edges) if pair[0] != root), self.names)

    def _up(self, position: int) -> dict[int, int]:
        steps, front = {position: 0}, [position]
        while front:
            reached = dict.fromkeys(parent for node in front for parent in self.parents[node] if parent not in steps)
            steps |= dict.fromkeys(reached, steps[front[0]] + 1)
            front = list(reached)
        return steps

    @functools.cached_property
    def _rank(self) -> dict[str, np.ndarray]:
        """(nodes,) int64 by depth's kind: of several common ancestors the highest rank is the lcs."""
        first = -np.arange(len(self))
        return {k: np.argsort(np.lexsort((first, -self.heights, depths))) for k, depths in self._depths.items()}

    def _pairs(self, edges: np.ndarray) -> list[Edge]:
        return [(self.nodes[parent], self.nodes[child]) for parent, child in edges.tolist()]

    def _unrelated(self, a: Id, b: Id) -> KithError:
        return KithError(f"taxonomy: '{a}' and '{b}' have no common ancestor; add a root above both, or leave one out")


def _plain(node: Any) -> Id:
    """A Python int or str of an id, which may be NumPy's."""
    if isinstance(node, str):
        return str(node)
    try:
        return operator.index(node)
    except TypeError:
        raise KithError(f"taxonomy: the id {node!r} is neither an integer nor a string") from None


def _one_of(choices: tuple[str, ...], choice: str, what: str) -> str:
    if choice not in choices:
        raise KithError(f"{what}: '{choice}' is not one of {', '.join(choices)}")
    return choice


def _of_file(path: Path | str, make: Callable[[], Taxonomy]) -> Taxonomy:
    try:
        return make()
    except KithError as error:
        raise KithError(f"{path}: {error}") from None

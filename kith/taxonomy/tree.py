"""From a directed acyclic graph of classes to a tree."""

from collections.abc import Sequence
from itertools import pairwise

Parents = Sequence[Sequence[int]]


def mintree(classes: Sequence[int], parents: Parents, root: int) -> dict[int, int]:
    """One parent for each class and for each ancestor that is kept: child → parent, every parent after its own.

    First come all classes with a single path to the root, then every other class in its order by the path that
    adds the fewest nodes; of those the one that makes its path to the root shortest, then the one whose parents
    stand first.

    classes: node numbers; parents: of each node, by its number; root: the node above all.

    >>> mintree([3], [[], [0], [0], [1, 2]], root=0)
    {1: 0, 3: 1}
    """
    paths: dict[int, int] = {root: 1}
    single = [node for node in classes if _paths(node, parents, paths) == 1]
    tree: dict[int, int] = {}
    depth = {root: 0}
    for node in [*single, *classes]:
        path = _down_to(node, parents, depth)
        for above, below in pairwise(path):
            tree[below], depth[below] = above, depth[above] + 1
    return tree


def _paths(node: int, parents: Parents, known: dict[int, int]) -> int:
    """How many paths lead up from a node to the root; `known` remembers."""
    waiting = [node]
    while waiting:
        if unknown := [parent for parent in parents[waiting[-1]] if parent not in known]:
            waiting += unknown
        else:
            done = waiting.pop()
            known.setdefault(done, sum(known[parent] for parent in parents[done]))
    return known[node]


def _down_to(node: int, parents: Parents, depth: dict[int, int]) -> list[int]:
    """The shortest path from the tree, `depth` its nodes, down to a node; ties by depth, then by parents' order."""
    child: dict[int, int] = {node: node}
    front = [node]
    while not (reached := [above for above in front if above in depth]):
        following: list[int] = []
        for below in front:
            fresh = [above for above in parents[below] if above not in child]
            child |= dict.fromkeys(fresh, below)
            following += dict.fromkeys(fresh)
        front = following
    path = [min(reached, key=depth.__getitem__)]
    while path[-1] != node:
        path.append(child[path[-1]])
    return path

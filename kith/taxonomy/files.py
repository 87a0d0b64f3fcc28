"""Taxonomies as text: files of edges, indented files, and lists of class names."""

import gzip
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from kith.errors import KithError, listed

Id: TypeAlias = int | str
Edge: TypeAlias = tuple[Id, Id]
ORDERS = ("parent-child", "child-parent")


def read_edges(path: Path, order: str = "parent-child", ids: Callable[[str], Id] = int) -> list[Edge]:
    """The (parent, child) pairs of a file with one pair a line, split at its first white space.

    Blank lines are skipped; a path that ends in .gz is decompressed. Raises KithError that names the line.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_edges(Path(folder) / "edges.txt", [(0, 1), (0, 2)])
    ...     read_edges(Path(folder) / "edges.txt", order="child-parent")
    [(1, 0), (2, 0)]
    """
    if order not in ORDERS:
        raise KithError(f"order: '{order}' is not one of {', '.join(ORDERS)}")
    edges: list[Edge] = []
    for number, line in _lines(path):
        words = _words(line)
        if len(words) != 2:
            raise KithError(
                f"{path}: line {number}: expected two ids, {order.replace('-', ' and ')}; found '{words[0]}'"
            )
        first, second = (_id(word, ids, path, number) for word in words)
        edges.append((first, second) if order == "parent-child" else (second, first))
    return edges


def write_edges(path: Path, edges: Iterable[Edge]) -> None:
    """A file that `read_edges` reads as the same edges, the same bytes each time; compressed if it ends in .gz.

    Raises KithError for an id that cannot be read back: an empty one, a parent with white space in it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "edges.txt"
    ...     write_edges(path, [("animal", "cat"), ("animal", "dog")])
    ...     print(path.read_text(), end="")
    animal cat
    animal dog
    """
    lines = []
    for parent, child in edges:
        line = f"{parent} {child}"
        if _words(line) != [str(parent), str(child)] or len(line.splitlines()) != 1:
            raise KithError(
                f"{path}: the edge '{parent}' → '{child}' cannot be written: give it ids without white space"
            )
        lines.append(line + "\n")
    data = "".join(lines).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def read_names(path: Path, ids: Callable[[str], Id] = int) -> dict[Id, str]:
    """Class names by id, in file order: one id a line, white space, and its name, which may hold spaces.

    Raises KithError that names the line for a missing name and a repeated id.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "names.txt"
    ...     _ = path.write_text("1 red fox" + chr(10) + "2 dog")
    ...     read_names(path)
    {1: 'red fox', 2: 'dog'}
    """
    names: dict[Id, str] = {}
    for number, line in _lines(path):
        words = _words(line)
        node = _id(words[0], ids, path, number)
        if len(words) != 2:
            raise KithError(f"{path}: line {number}: the id '{node}' has no name; write it after the id")
        if node in names:
            raise KithError(f"{path}: line {number}: the id '{node}' was given a name before; drop one of the lines")
        names[node] = words[1]
    return names


def read_indented(path: Path, classes: Mapping[Id, str] | None = None) -> tuple[list[Edge], dict[Id, str]]:
    """Edges and names of a file with one name a line, indented by two dashes a level and a space.

    classes: names by id, as `read_names` returns them. Other nodes get ids in file order: the integers after the
    largest class id or, where class ids are strings or `classes` is None, their names.

    Raises KithError that names the line for an odd number of dashes, a jump of more than one level, a repeated
    name and an indented first line, and for classes that the file lacks.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "classes.txt"
    ...     _ = path.write_text(chr(10).join(["animal", "-- cat", "-- dog"]))
    ...     read_indented(path)[0]
    [('animal', 'cat'), ('animal', 'dog')]
    """
    parents = _outline(path)
    known = {name: node for node, name in (classes or {}).items()}
    if missing := sorted(known.keys() - parents.keys()):
        raise KithError(f"{path}: has no line for the class{'es' * (len(missing) > 1)} {listed(missing)}")
    inner = [name for name in parents if name not in known]
    numbers = [node for node in known.values() if isinstance(node, int)]
    fresh: Sequence[Id] = range(max(numbers) + 1, max(numbers) + 1 + len(inner)) if numbers else inner
    number = known | dict(zip(inner, fresh, strict=True))
    edges = [(number[parent], number[name]) for name, parent in parents.items() if parent is not None]
    return edges, {node: name for name, node in number.items()}


def _outline(path: Path) -> dict[str, str | None]:
    """The parent of each name, in file order."""
    parents: dict[str, str | None] = {}
    above: list[str] = []
    for number, line in _lines(path):
        match = re.fullmatch(r"(-*)( *)(\S.*)", line.rstrip())
        if match is None or bool(match[1]) != bool(match[2]):
            raise KithError(f"{path}: line {number}: expected a name, or dashes, a space and a name")
        dashes, name = len(match[1]), match[3]
        level = dashes // 2
        if dashes % 2:
            raise KithError(f"{path}: line {number}: '{name}' has {dashes} dashes; use two a level")
        if level > len(above):
            where = f"more than one level below '{above[-1]}'" if above else "indented, but the first line is a root"
            raise KithError(f"{path}: line {number}: '{name}' is {where}")
        if name in parents:
            raise KithError(f"{path}: line {number}: '{name}' stands here for the second time; names have to differ")
        parents[name] = above[level - 1] if level else None
        above[level:] = [name]
    return parents


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, with their numbers from 1."""
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig") as lines
        ):
            yield from ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    except FileNotFoundError:
        raise KithError(f"{path}: no such file") from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise KithError(f"{path}: cannot be read as UTF-8 text: {error}") from None


def _words(line: str) -> list[str]:
    return line.strip().split(maxsplit=1)


def _id(word: str, ids: Callable[[str], Id], path: Path, number: int) -> Id:
    try:
        return ids(word)
    except ValueError:
        raise KithError(f"{path}: line {number}: '{word}' is no integer; read it with ids=str") from None

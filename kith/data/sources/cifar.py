"""CIFAR-10 and CIFAR-100: Python pickles in a tar archive, or in the folder that it unpacks to.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from kith.data.kinds import Labelled
from kith.data.listing import Entry, Listing
from kith.data.source import File, Recipe
from kith.errors import KithError
from kith.unpickle import BadPickle, load

SIDE = 32
# Which classes a variant of CIFAR-100 has: disjoint halves (Barz & Denzler, WACV 2019).
VARIANTS = {"a": range(50), "b": range(50, 100), "b-consec": range(50, 100)}


class Layout(NamedTuple):
    """The members of an archive by split, the keys in them, and the number of classes."""

    archive: str
    members: dict[str, str]
    labels: str
    meta: str
    names: str
    classes: int


TEN = Layout(
    "cifar-10-python.tar.gz",
    {**{f"data_batch_{i}": "train" for i in range(1, 6)}, "test_batch": "test"},
    *("labels", "batches.meta", "label_names", 10),
)
HUNDRED = Layout(
    "cifar-100-python.tar.gz", {"train": "train", "test": "test"}, *("fine_labels", "meta", "fine_label_names", 100)
)


def cifar10(path: Path) -> Listing:
    """All 60,000 pictures; node and label: 0…9."""
    return _listing(path, TEN, range(10))


def cifar100(path: Path, *, variant: str | None = None) -> Listing:
    """All pictures of the fine classes 0…99, or of a half of them: variant "a" has 0…49, "b" 50…99, and
    "b-consec" the same with the labels 0…49, while the nodes stay 50…99."""
    wanted = range(100) if variant is None else VARIANTS[variant]
    return _listing(path, HUNDRED, wanted, first=50 if variant == "b-consec" else 0)


def _listing(path: Path, layout: Layout, wanted: range, first: int = 0) -> Listing:
    with _members(path, layout) as read:
        entries = [entry for member in layout.members for entry in _entries(path, layout, member, read, wanted)]
        names = read(layout.meta).get(layout.names)
    if not isinstance(names, list) or len(names) != layout.classes:
        raise KithError(f"{path}: member '{layout.meta}': '{layout.names}' are not {layout.classes} names")
    called = {str(i): name.decode() if isinstance(name, bytes) else str(name) for i, name in enumerate(names)}

    def planes(entries: Iterable[Entry]) -> Iterator[np.ndarray]:
        """Colours, one member of the archive after the other."""
        with _members(path, layout) as read:
            for member, group in groupby(entries, key=lambda entry: entry.image[0]):
                found = _planes(path, member, read(member))
                yield from (np.ascontiguousarray(found[entry.image[1]].transpose(1, 2, 0)) for entry in group)

    return Listing(entries, path, called, load=planes, first=first)


def _entries(path: Path, layout: Layout, member: str, read: "Reader", wanted: range) -> Iterator[Entry]:
    content = read(member)
    labels, count = content.get(layout.labels), len(_planes(path, member, content))
    if not isinstance(labels, list) or len(labels) != count:
        raise KithError(f"{path}: member '{member}': '{layout.labels}' is not a list of {count:,} labels")
    for row, label in enumerate(labels):
        if not isinstance(label, int) or not 0 <= label < layout.classes:
            raise KithError(
                f"{path}: member '{member}': row {row} of '{layout.labels}' is {label!r}, not 0…{layout.classes - 1}"
            )
        if label in wanted:
            place = f"member '{member}', row {row}"
            yield Entry(f"{member}/{row}", layout.members[member], (member, row), place, str(label))


def _planes(path: Path, member: str, content: dict[str, Any]) -> np.ndarray:
    """(n, 3, 32, 32) uint8."""
    data = content.get("data")
    if not isinstance(data, np.ndarray) or data.ndim != 2 or data.shape[1] != 3 * SIDE * SIDE or data.itemsize != 1:
        shape = data.shape if isinstance(data, np.ndarray) else type(data).__name__
        raise KithError(f"{path}: member '{member}': 'data' is {shape}, expected (n, {3 * SIDE * SIDE}) bytes")
    return data.reshape(-1, 3, SIDE, SIDE)


Reader = Callable[[str], dict[str, Any]]


@contextmanager
def _members(path: Path, layout: Layout) -> Iterator[Reader]:
    """A function that reads a member of the archive, or file of the folder, by its name without folders."""
    if path.is_dir():
        found = {file.name: file for file in path.rglob("*") if file.is_file()}
        yield lambda name: _read(path, name, layout, found, lambda file: file.open("rb"))
        return
    try:
        archive = tarfile.open(path)  # noqa: SIM115 closed below
    except BROKEN as error:
        raise KithError(f"{path}: cannot be read as a tar archive ({error}); expected {layout.archive}") from None
    with archive:
        yield lambda name: _read(path, name, layout, _index(path, archive), archive.extractfile)


BROKEN = (OSError, EOFError, tarfile.TarError, zlib.error)


def _index(path: Path, archive: tarfile.TarFile) -> dict[str, Any]:
    try:
        return {Path(member.name).name: member for member in archive.getmembers() if member.isfile()}
    except BROKEN as error:
        raise KithError(f"{path}: the archive is broken ({error}); fetch it again") from None


def _read(
    path: Path, name: str, layout: Layout, found: dict[str, Any], opened: Callable[[Any], IO[bytes] | None]
) -> dict[str, Any]:
    if name not in found:
        there = ", ".join(sorted(found)[:10]) or "nothing"
        raise KithError(f"{path}: no member '{name}'; expected what {layout.archive} holds, found {there}")
    try:
        with opened(found[name]) as file:  # type: ignore[union-attr]
            content = load(file, strings="bytes", kinds="u")
        if not isinstance(content, dict):
            raise BadPickle(f"holds a {type(content).__name__}, not a dict")
        return {key.decode() if isinstance(key, bytes) else str(key): value for key, value in content.items()}
    except (*BROKEN, BadPickle, UnicodeDecodeError) as error:
        raise KithError(f"{path}: member '{name}' cannot be read ({error or type(error).__name__})") from None


LICENCE = "no licence stated; cite Krizhevsky 2009"
HOME = "https://www.cs.toronto.edu/~kriz/cifar.html"
FILES = "https://www.cs.toronto.edu/~kriz/"
SOURCES = (
    Labelled(
        name="cifar10",
        read=cifar10,
        lists=("*",),
        layout="`cifar-10-python.tar.gz`, or the folder that it unpacks to",
        recipe=Recipe(LICENCE, HOME, (File(FILES + TEN.archive, "md5:c58f30108f718f92721af3b95e74349a", 170_498_071),)),
    ),
    Labelled(
        name="cifar100",
        read=cifar100,
        lists=("*",),
        layout="`cifar-100-python.tar.gz`, or the folder that it unpacks to",
        recipe=Recipe(
            LICENCE, HOME, (File(FILES + HUNDRED.archive, "md5:eb9058c3a382ffc7106e4002c42a8d85", 169_001_437),)
        ),
    ),
)

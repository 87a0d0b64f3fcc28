"""What a data set of classes lists: one entry a picture, before any is decoded."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """A picture: its class as the data set writes it, and in `image` the path of its file, relative to the
    listing's root, or what the listing's `load` knows. `place` says where it is listed."""

    id: str
    split: str
    node: str
    image: Any
    place: str


def as_it_is(entries: Iterable[Entry]) -> Iterator[Any]:
    return (entry.image for entry in entries)


@dataclass(frozen=True)
class Listing:
    """All pictures of a data set, in its order, with readable names of classes (and of inner nodes) by their ids.

    `load` brings entries to paths or uint8 colours (H, W, 3). `root`: the folder below the data set's that paths
    are relative to. `first`: the class id that has the label 0, where ids are whole numbers.
    """

    entries: Sequence[Entry]
    names: Mapping[str, str] = field(default_factory=dict)
    root: str = "."
    load: Callable[[Iterable[Entry]], Iterator[Any]] = as_it_is
    first: int = 0

"""What a data set of captions lists: one entry a picture, before any is decoded."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from kith.errors import KithError


class Entry(NamedTuple):
    """A picture with its texts. `split` as the data set calls it, "" where it has none; `image`: path of the file,
    relative to the listing's root; `place` says where it is listed; `group`: "" for one of its own."""

    id: str
    split: str
    texts: Sequence[Any]
    image: str
    place: str
    group: str = ""
    label: str = ""


def as_it_is(entries: Iterable[Entry]) -> Iterator[str]:
    return (entry.image for entry in entries)


@dataclass(frozen=True)
class Listing:
    """All pictures of a data set in its order. `root`: the folder of the pictures. `left_out`: what was passed over,
    and how often."""

    entries: Sequence[Entry]
    root: Path
    left_out: Mapping[str, int] = field(default_factory=dict)
    load: Callable[[Iterable[Entry]], Iterator[Any]] = as_it_is


def first_there(path: Path, *names: str) -> Path:
    """The first of `names` in the folder `path` that exists, else the first."""
    return next((path / name for name in names if (path / name).exists()), path / names[0])


def picture_folder(path: Path, image_root: Path | None, *names: str) -> Path:
    """`image_root`, or the first of `names` in `path` that is there. Raises KithError where there is none."""
    folder = image_root or first_there(path, *names)
    if not folder.is_dir():
        raise KithError(f"{folder}: no such folder of pictures; add it, or name another in fetch.image_root")
    return folder

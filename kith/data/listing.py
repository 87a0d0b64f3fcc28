"""What a data set of pictures lists, before any picture is decoded: one entry a picture."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from kith.errors import KithError

# Suffixes of what is decoded.
PICTURES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff"),
    *(".ppm", ".pgm"),
)

# Folders that systems put beside the data of others.
NOT_DATA = frozenset({"__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"})


def is_picture_name(name: str) -> bool:
    """Whether a file of this name is a picture by its suffix, one that is decoded or not.

    >>> is_picture_name("a.JPG"), is_picture_name("a.heic"), is_picture_name("a.txt")
    (True, True, False)
    """
    return name.lower().endswith((*PICTURES, ".heic", ".heif"))


class Entry(NamedTuple):
    """A picture.

    split: as the data set calls it, "" where it has none. image: the path of its file, relative to the listing's
    root, or what the listing's `load` knows. place: where it is listed, for messages. label: its class as the data set
    writes it, "" where it has none. texts: its captions, not yet checked. group: "" for one of its own. labels: its
    classes, in a data set whose pictures have several.
    """

    id: str
    split: str
    image: Any
    place: str
    label: str = ""
    texts: Sequence[Any] = ()
    group: str = ""
    labels: Sequence[str] = ()


def as_it_is(entries: Iterable[Entry]) -> Iterator[Any]:
    """The images of the entries, which are paths."""
    return (entry.image for entry in entries)


@dataclass(frozen=True)
class Listing:
    """All pictures of a data set, in its order.

    root: the folder that paths are relative to. names: readable names of classes, and of inner nodes of a taxonomy, by
    their ids. taxonomy: (parent, child) ids, where the data set has a taxonomy of its own. load: brings entries to
    paths or to uint8 colours (H, W, 3). first: the class id that has the label 0, where ids are whole numbers.
    left_out: what was passed over, and how often.
    """

    entries: Sequence[Entry]
    root: Path
    names: Mapping[str, str] = field(default_factory=dict)
    load: Callable[[Iterable[Entry]], Iterator[Any]] = as_it_is
    first: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    taxonomy: Sequence[tuple[str, str]] = ()

    @property
    def unsplit(self) -> bool:
        """Whether the data set gives no splits, so that all of them are drawn."""
        return {entry.split for entry in self.entries} <= {"", "train"}


def first_there(path: Path, *names: str) -> Path:
    """The first of `names` in the folder `path` that exists, else the first."""
    return next((path / name for name in names if (path / name).exists()), path / names[0])


def picture_folder(path: Path, image_root: Path | None, *names: str) -> Path:
    """`image_root`, or the first of `names` in `path` that is there. Raises KithError where there is none."""
    folder = image_root or first_there(path, *names)
    if not folder.is_dir():
        raise KithError(f"{folder}: no such folder of pictures; add it, or name another in fetch.image_root")
    return folder


def hidden(name: str) -> bool:
    """Whether a file or folder is not of the data: hidden, or made by an operating system beside them.

    >>> hidden(".ipynb_checkpoints"), hidden("__MACOSX"), hidden("cat")
    (True, True, False)
    """
    return name.startswith(".") or name in NOT_DATA


def pictures_below(folder: Path, passed: Counter[str] | None = None) -> Iterator[Path]:
    """All pictures at or below `folder`, by their suffixes, sorted within each folder; nothing hidden.

    passed: where the suffixes of the other files are counted.
    """
    for file in files_below(folder):
        if file.name.lower().endswith(PICTURES):
            yield file
        elif passed is not None:
            passed[file.suffix.lower()] += 1


def files_below(folder: Path) -> Iterator[Path]:
    """All files below `folder` that are not hidden, sorted within each folder; links are followed."""
    for place, below, names in os.walk(folder, followlinks=True):
        below[:] = sorted(name for name in below if not hidden(name))
        yield from (Path(place, name) for name in sorted(names) if not hidden(name))


def left_out(passed: Counter[str]) -> dict[str, int]:
    """Counted suffixes as `Listing.left_out` has them.

    >>> left_out(Counter({".heic": 2, "": 1}))
    {"files that end in '.heic'": 2, 'files without a suffix': 1}
    """
    counted = sorted(passed.items(), key=lambda each: (-each[1], each[0]))
    return {f"files that end in '{end}'" if end else "files without a suffix": count for end, count in counted}

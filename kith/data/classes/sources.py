"""The sources of labelled pictures by name: what lists them, which options they take, and their checksum."""

import hashlib
import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from kith.data.classes import birds, cifar, folders, inat, matlab
from kith.data.classes.listing import Listing
from kith.errors import KithError

# What `assemble` does for each of them.
COMMON = frozenset({"taxonomy", "taxonomy_order", "class_names", "train_per_class"})


class Source(NamedTuple):
    """`listing`: (path, **options) -> Listing. `lists`: patterns of the files whose content says what there is.
    `named`: whether it is one data set, or a layout that many have."""

    listing: Callable[..., Listing]
    lists: tuple[str, ...] = ()
    named: bool = True

    @property
    def options(self) -> frozenset[str]:
        """The names of all options: those of its own are the keyword parameters of `listing`."""
        own = inspect.signature(self.listing).parameters.values()
        return COMMON | {each.name for each in own if each.kind is inspect.Parameter.KEYWORD_ONLY}


SOURCES: dict[str, Source] = {
    "cifar10": Source(cifar.cifar10, ("*",)),
    "cifar100": Source(cifar.cifar100, ("*",)),
    "image_folder": Source(folders.image_folder, named=False),
    "image_lists": Source(folders.image_lists, ("*.txt",), named=False),
    "ilsvrc": Source(folders.ilsvrc),
    "cub": Source(birds.birds, birds.LISTS),
    "nab": Source(birds.birds, birds.LISTS),
    "cars": Source(matlab.cars, ("*.mat",)),
    "flowers102": Source(matlab.flowers102, ("*.mat",)),
    "inat2018": Source(inat.inat2018, ("*.json",)),
    "inat2019": Source(inat.inat2019, ("*.json",)),
    "mit67": Source(folders.image_lists, ("*.txt",)),
    "ucmerced": Source(folders.image_lists, ("*.txt",)),
    "resisc45": Source(folders.image_lists, ("*.txt",)),
}


def listing(source: str, path: Path, options: Mapping[str, Any]) -> Listing:
    """The pictures of the data set at `path`; of `options` the source takes its own. Raises KithError."""
    own = SOURCES[source].options - COMMON
    found = SOURCES[source].listing(path, **{name: value for name, value in options.items() if name in own})
    if not found.entries:
        raise KithError(f"{path}: lists no picture")
    return found


def digest(source: str, path: Path) -> tuple[str, int]:
    """See `digest_of`; the source says which files list what there is."""
    return digest_of(path, SOURCES[source].lists)


def digest_of(path: Path, lists: Sequence[str]) -> tuple[str, int]:
    """(SHA-256, bytes) of the file at `path`, or of the folder: names and sizes of all files in it that are not
    hidden, and the contents of those whose names fit a pattern of `lists`. Pictures themselves are not read."""
    if path.is_file():
        return _sha256(path), path.stat().st_size
    if not path.is_dir():
        raise KithError(f"{path}: no such file or folder; mend fetch.path")
    total, size = hashlib.sha256(), 0
    try:
        for file in _files(path):
            listed = any(fnmatch(file.name, pattern) for pattern in lists)
            length, content = file.stat().st_size, _sha256(file) if listed else ""
            named = file.relative_to(path).as_posix().encode(errors="surrogateescape")
            total.update(named + f"\n{length}\n{content}\n".encode())
            size += length
    except OSError as error:
        raise KithError(f"{error.filename}: cannot be read ({error.strerror}); mend or remove it") from None
    return total.hexdigest(), size


def _files(path: Path) -> Iterator[Path]:
    """All files below `path`, sorted within each folder, that are not hidden."""
    for place, below, files in os.walk(path, followlinks=True):
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(files) if not name.startswith("."))


def name(source: str, path: Path, options: Mapping[str, Any]) -> str:
    """What the data set is called: "cifar100", "cifar100-a", "inat2018-Aves"; of a layout, the folder's name."""
    parts = [source if SOURCES[source].named else path.stem]
    parts += [str(options[each]) for each in ("variant", "supercategory") if options.get(each)]
    per_class = options.get("train_per_class")
    return "-".join(parts + ([f"sub{per_class}"] if per_class else []))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

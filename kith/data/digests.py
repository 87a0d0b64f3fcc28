"""Checksums of files and folders: how it is known that data are still those that were seen."""

import hashlib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path

from kith.data.listing import files_below
from kith.errors import KithError


def sha256(path: Path) -> str:
    """Hex digest of a file, read in pieces. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of(files: Iterable[Path], root: Path) -> str:
    """Hex digest of the names below `root` and the contents of files, in the order of their paths."""
    lines = [f"{file.relative_to(root).as_posix()} {sha256(file)}" for file in sorted(files)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def digest_of(path: Path, lists: Sequence[str] = (), parameter: str = "fetch.path") -> tuple[str, int]:
    """(SHA-256, bytes) of the file at `path`, or of the folder: names and sizes of all files in it that are not
    hidden, and the contents of those whose names fit a pattern of `lists`. Pictures themselves are not read.

    Raises KithError where there is nothing at `path`, which `parameter` names, and for a file that cannot be read.
    """
    if path.is_file():
        return sha256(path), path.stat().st_size
    if not path.is_dir():
        raise KithError(f"{path}: no such file or folder; mend {parameter}")
    total, size = hashlib.sha256(), 0
    try:
        for file in files_below(path):
            listed = any(fnmatch(file.name, pattern) for pattern in lists)
            length, content = file.stat().st_size, sha256(file) if listed else ""
            named = file.relative_to(path).as_posix().encode(errors="surrogateescape")
            total.update(named + f"\n{length}\n{content}\n".encode())
            size += length
    except OSError as error:
        raise KithError(f"{error.filename}: cannot be read ({error.strerror}); mend or remove it") from None
    return total.hexdigest(), size


def digest_of_arrays(path: Path) -> tuple[str, int]:
    """(SHA-256, bytes) of the file at `path`, or of the .npy files in the folder, their contents included."""
    if path.is_file():
        return sha256(path), path.stat().st_size
    files = list(path.glob("*.npy"))
    return sha256_of(files, path), sum(each.stat().st_size for each in files)

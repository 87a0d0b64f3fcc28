"""The files that a table names as its pictures: where they lie, and what is in them."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from kith.data import readers
from kith.data.loader import ADDRESS, Loader
from kith.data.parts import home
from kith.data.rows import is_nothing
from kith.data.watched import ABSENT, contents


def picture_files(
    path: Path, column: str | None, image_root: Path | None, index: Path | None = None
) -> dict[str, dict[str, Any]]:
    """{"image_root": {"path", "folder", "sha256", "bytes"}} of the files that the table's image column names: what
    their paths are relative to, the folder in which all of them lie, SHA-256 of names and contents, and the sum of
    sizes; {} where the column is None, or holds encoded pictures alone. `index`: see watched.contents.

    One that is missing counts as such.
    """
    if column is None:
        return {}
    root = image_root or home(path)
    files = list(map(str, _files(path, column, root)))
    if not files:
        return {}
    total, size = hashlib.sha256(), 0
    for file, known in zip(files, contents(files, index), strict=True):
        name = file.removeprefix(f"{root}/") if root != Path() else file
        told = "-" if known == ABSENT else known.sha256.hex()
        total.update(f"{name}\n{told}\n".encode(errors="surrogatepass"))
        size += max(known.size, 0)
    found = {"path": root.as_posix(), "folder": common(files), "sha256": total.hexdigest(), "bytes": size}
    return {"image_root": found}


def folder_of_pictures(path: Path, column: str | None) -> str | None:
    """The folder in which all files lie that the image column of the table at `path` names, relative to the working
    directory where `path` is; None where it names none, or there is no table.

    Raises KithError for a table that cannot be read.
    """
    if column is None or not path.exists():
        return None
    found = path.stat()
    return _folder(path, column, found.st_mtime_ns, found.st_size)


@cache
def _folder(path: Path, column: str, *_: int) -> str | None:
    """Once for each state of the table."""
    if readers.holds_bytes(path, column):
        return None
    files = list(map(str, _files(path, column, home(path))))
    return common(files) if files else None


def common(files: Iterable[str]) -> str:
    """The narrowest folder in which all of `files` lie, "." where that is the working directory.

    >>> common(["shop/a/1.png", "shop/b/2.png"]), common(["a/../1.png"])
    ('shop', '.')
    """
    folders = {os.path.normpath(os.path.dirname(file)) for file in files}
    if any(map(os.path.isabs, folders)) or any(folder.startswith("..") for folder in folders):
        return Path(os.path.commonpath(map(os.path.abspath, folders))).as_posix()
    return Path(os.path.commonpath(folders)).as_posix()


def _files(path: Path, column: str, root: Path) -> Iterator[Path]:
    """Those that the cells name, be they there or not."""
    loader = Loader(root, 1, "RGB", "pad")
    for batch in readers.batches(path, [column], lambda *_: None):
        cells = (cell for cell in batch[column] if not (isinstance(cell, str) and is_nothing(cell)))
        yield from (file for file in map(loader.file, cells) if file and not ADDRESS.match(str(file)))

"""The data set of a source, downloaded and unpacked to where it is wanted."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kith.data.download import Fetched, fetch
from kith.data.resuming import Patience
from kith.data.source import Recipe, Source
from kith.data.temporary import beside, remove
from kith.data.unpack import is_archive, unpack
from kith.errors import KithError


def obtain(
    source: Source, path: Path, downloads: Path, *, offline: bool = False, patience: Patience | None = None
) -> dict[str, Any]:
    """Download the files of `source` into <downloads>/<its name>/ and put what they hold at `path`.

    `path` becomes a folder with all archives unpacked and all other files; for a source of one archive it may also be
    named like one (cifar-10-python.tar.gz, iapr.npz), and is then the archive itself. Nothing is left at `path` on a
    fault.
    Returns {"path", "licence", "home", "files": [{"name", "url", "checksum", "bytes", "pinned"}]}.
    Raises KithError where the source cannot be downloaded, with what to do; and see download.fetch and unpack.
    """
    recipe = source.recipe
    if recipe is None or not recipe.files:
        raise KithError(missing(source, path))
    fetched = fetch(recipe.files, downloads / source.name, offline=offline, patience=patience)
    with _appearing(path) as temporary:
        if len(fetched) == 1 and is_archive(path.name):
            _place(fetched[0].path, temporary)
        else:
            _fill(fetched, temporary)
    return {
        "path": path.as_posix(),
        "licence": recipe.licence,
        "home": recipe.home,
        "files": [
            {
                "name": each.path.name,
                "url": each.file.url,
                "checksum": each.checksum,
                "bytes": each.bytes,
                "pinned": bool(each.file.checksum),
            }
            for each in fetched
        ],
    }


def missing(source: Source, path: Path) -> str:
    """What to do where there is nothing at `path` and nothing is to be downloaded."""
    recipe = source.recipe
    if recipe is None:
        return f"{path}: no such file or folder; mend fetch.path"
    told = _offer(path, recipe) if recipe.files else _by_hand(source.name, path, recipe)
    return f"{told}\n  {recipe.home}\n  terms: {recipe.licence}"


def _by_hand(name: str, path: Path, recipe: Recipe) -> str:
    return (
        f"{path}: no such file or folder, and {name} cannot be downloaded without you: {recipe.by_hand}; put the "
        f"files into {path}"
    )


def _offer(path: Path, recipe: Recipe) -> str:
    told = ", ".join(file.name for file in recipe.files)
    size = f" ({recipe.size / 1e9:,.1f} GB or more)" if recipe.size else ""
    return f"{path}: no such file or folder; mend fetch.path, or set fetch.download: true to get {told}{size}"


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """A name beside `path` that becomes it in the end, or vanishes."""
    if path.exists():
        raise KithError(f"{path}: is there already; remove it, or name another fetch.path")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = beside(path)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        remove(temporary)


def _fill(fetched: list[Fetched], folder: Path) -> None:
    folder.mkdir()
    for file, path, _, _ in fetched:
        if is_archive(path.name):
            unpack(path, folder, file.root)
        else:
            _place(path, folder / path.name)


def _place(file: Path, target: Path) -> None:
    """A second name of the file where the disk allows it, else a copy."""
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)

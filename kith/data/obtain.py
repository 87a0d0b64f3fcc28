"""A data set of the registry, downloaded and unpacked to where it is wanted."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kith.data.download import Fetched, fetch
from kith.data.registry import RECIPES, Recipe
from kith.data.resuming import Patience
from kith.data.unpack import is_archive, unpack
from kith.errors import KithError


def obtain(
    source: str, path: Path, downloads: Path, *, offline: bool = False, patience: Patience | None = None
) -> dict[str, Any]:
    """Download the files of `source` into <downloads>/<source>/ and put what they hold at `path`.

    `path` becomes a folder with all archives unpacked and all other files; for a source of one archive it may also be
    named like it (cifar-10-python.tar.gz), and is then the archive itself. Nothing is left at `path` on a fault.
    Returns {"path", "licence", "home", "files": [{"name", "url", "checksum", "bytes", "pinned"}]}.
    Raises KithError where the source cannot be downloaded, with what to do; and see download.fetch and unpack.
    """
    recipe = RECIPES.get(source)
    if recipe is None:
        raise KithError(f"{path}: no such file or folder; mend fetch.path")
    if not recipe.files:
        raise KithError(by_hand(source, path))
    fetched = fetch(recipe.files, downloads / source, offline=offline, patience=patience)
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


def by_hand(source: str, path: Path) -> str:
    """What to do where there is nothing at `path` and Kith may not or cannot download it."""
    recipe = RECIPES[source]
    return (
        f"{path}: no such file or folder, and {source} cannot be downloaded without you: {recipe.by_hand}; put the "
        f"files into {path}\n  {recipe.home}\n  terms: {recipe.licence}"
    )


def offer(source: str, path: Path) -> str:
    """What to do where there is nothing at `path` and the source could be downloaded."""
    recipe = RECIPES[source]
    told = ", ".join(file.name for file in recipe.files)
    size = f" ({recipe.size / 1e9:,.1f} GB or more)" if recipe.size else ""
    return (
        f"{path}: no such file or folder; mend fetch.path, or set fetch.download: true to get {told}{size}\n"
        f"  {recipe.home}\n  terms: {recipe.licence}"
    )


def missing(source: str, path: Path) -> str:
    """What to do where there is nothing at `path` and nothing is to be downloaded."""
    recipe: Recipe | None = RECIPES.get(source)
    if recipe is None:
        return f"{path}: no such file or folder; mend fetch.path"
    return offer(source, path) if recipe.files else by_hand(source, path)


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """A name beside `path` that becomes it in the end, or vanishes."""
    if path.exists():
        raise KithError(f"{path}: is there already; remove it, or name another fetch.path")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        temporary.unlink(missing_ok=True)


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

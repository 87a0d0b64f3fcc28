"""Files appear whole or not at all: written under a temporary name, then renamed."""

import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kith.data.temporary import beside, remove
from kith.errors import KithError, of_machine, reading

if TYPE_CHECKING:  # it takes as long as all the rest of a stage's start
    import pandas as pd

MARKS = (".snakemake_timestamp", ".gitignore")  # what the engines put into a folder


def index_of(raw: Path) -> Path:
    """Where the stages, and Snakemake, keep what they have read of the files that a study is of (see
    kith.data.watched): beside the folder `raw` of the stage fetch."""
    from kith.data.watched import INDEX  # loads Arrow

    return raw.parent / INDEX


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary sibling of the file `path` that takes its name if the block succeeds and vanishes if it fails.

    Raises KithError where `path` is a folder, which is never replaced by a file.
    """
    if path.is_dir():
        raise KithError(f"{path}: is a folder; move it away, or name a file to write")
    with _beside(path) as temporary:
        yield temporary
        os.replace(temporary, path)


@contextmanager
def replacing_folder(path: Path, *own: str) -> Iterator[Path]:
    """As `replacing`, of a folder: made empty for the block, then in the place of `path` and all that it holds.

    own: patterns of names that such a folder holds, those of folders with a slash at the end. Raises KithError where
    `path` is a file, or a folder in which there is anything else: so a folder of somebody's own is never lost.
    """
    if path.exists() and not path.is_dir():
        raise KithError(f"{path}: is a file; name a folder to write")
    for entry in path.iterdir() if path.is_dir() else ():
        name = f"{entry.name}/" if entry.is_dir() else entry.name
        known = any(fnmatch(name, pattern) for pattern in (*own, *MARKS))
        if not known:
            raise KithError(f"{path}: holds '{entry.name}', which is not Kith's; name another folder, or an empty one")
    with _beside(path) as temporary:
        temporary.mkdir()
        yield temporary
        with _aside(path):
            os.replace(temporary, path)


@contextmanager
def _aside(path: Path) -> Iterator[None]:
    """A folder at `path` has another name for the block, and goes after it: to remove it takes time, and a kill in the
    middle would leave a part of it under its name. Where the block fails it is there again."""
    former = beside(path.with_name(f"{path.name}.former"))
    remove(former)
    if path.is_dir() and not path.is_symlink():
        os.replace(path, former)
    try:
        yield
    except BaseException:
        if former.exists():
            os.replace(former, path)
        raise
    remove(former)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = beside(path)
    try:
        yield temporary
    except OSError as error:
        if error.filename is None and error.errno is None:  # Parquet's
            raise KithError(of_machine(error, path)) from error
        if error.filename in (None, str(temporary)):  # a full disk says no name
            error.filename = str(path)
        raise
    finally:
        remove(temporary)


def write_bytes(path: Path, data: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Indented, in the order given, NaN refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, advice: str = "make it again") -> Any:
    """Raises KithError where it cannot be read, with this advice."""
    with reading(path, advice):
        return json.loads(path.read_text(encoding="utf-8"))


def read_parquet(path: Path, advice: str = "make it again", columns: list[str] | None = None) -> "pd.DataFrame":
    """Raises KithError where it cannot be read, with this advice."""
    import pandas as pd

    with reading(path, advice):
        return pd.read_parquet(path, columns=columns)


def write_npy(path: Path, array: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def write_npz(path: Path, **arrays: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())


def write_parquet(path: Path, table: "pd.DataFrame") -> None:
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)

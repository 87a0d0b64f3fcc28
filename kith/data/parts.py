"""Tables in several Parquet files, and what those of Hugging Face say of themselves: splits, and names of classes."""

import glob
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from kith.errors import KithError

NAMED = re.compile(r"([A-Za-z]\w*)-\d+-of-\d+\.parquet")  # train-00000-of-00002.parquet


def is_parted(path: Path) -> bool:
    """Whether a table is all Parquet files of a folder, or of a pattern (data/train-*.parquet)."""
    return path.is_dir() or (any(mark in path.name for mark in "*?[") and not path.exists())


def parts(path: Path) -> list[Path]:
    """The files of a parted table, sorted. Raises KithError where there are none."""
    if path.is_dir():
        below = (file.relative_to(path) for file in path.rglob("*.parquet") if file.is_file())
        found = [path / file for file in below if not any(part.startswith(".") for part in file.parts)]
    else:
        found = [Path(name) for name in glob.glob(str(path)) if name.lower().endswith(".parquet")]
    if not found:
        more = "; folders of pictures and data sets are looked at by `kith new`" if path.is_dir() else ""
        raise KithError(f"{path}: no .parquet files there; name a table, or the folder of the parts of one{more}")
    return sorted(found)


def home(path: Path) -> Path:
    """The folder that a table's pictures are relative to: that in which it is, or which it is."""
    return path if path.is_dir() else path.parent


def splits(files: Sequence[Path]) -> list[str]:
    """The split of each part, where their names say different ones.

    >>> splits([Path("test-00000-of-00001.parquet"), Path("train-00000-of-00001.parquet")])
    ['test', 'train']
    """
    found = [match[1] for file in files if (match := NAMED.fullmatch(file.name))]
    return found if len(found) == len(files) and len(set(found)) > 1 else []


def class_names(file: Path, column: str) -> dict[str, str]:
    """{number: name} of the classes in a column, as the library `datasets` notes them in a Parquet file; {} where it
    has not."""
    try:
        noted = json.loads((pq.read_schema(file).metadata or {}).get(b"huggingface", b"{}"))
        names: Any = noted["info"]["features"][column]["names"]
    except (ValueError, KeyError, TypeError):
        return {}
    pairs = names.items() if isinstance(names, dict) else enumerate(names)
    return {str(number): str(name) for number, name in pairs}

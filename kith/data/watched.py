"""What is in files, read anew only where their sizes or times have changed.

An index keeps the size, the modification time and the SHA-256 of each file: a million files that are as they were
cost a look at each, and no reading.
"""

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from kith.data.listing import hidden
from kith.data.temporary import beside
from kith.progress import Progress

INDEX = ".watched.parquet"  # what an index is called
THREADS = 4
UNSURE = 2_000_000_000  # nanoseconds: a file that is younger when it is read may change again within one time stamp
SCHEMA = pa.schema({"name": pa.string(), "size": pa.int64(), "time": pa.int64(), "sha256": pa.binary()})


class Known(NamedTuple):
    """A file when it was read: its size, its modification time in nanoseconds (-1: not sure), and the SHA-256."""

    size: int
    time: int
    sha256: bytes


ABSENT = Known(-1, -1, b"")  # of what is no file, or cannot be read


def contents(files: Sequence[str], index: Path | None = None) -> list[Known]:
    """What is in each of `files`, in their order; ABSENT for one that is not there.

    `index` is a Parquet file of what was read before: it is read, and written again where there is anything new.
    Without one, or where it cannot be read, all files are read.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.txt").write_text("a")
    >>> found = contents([str(folder / "a.txt"), str(folder / "b.txt")], folder / "index.parquet")
    >>> found[0].sha256.hex()[:8], found[1] == ABSENT
    ('ca978112', True)
    """
    before = _read(index)
    seen = dict(before)
    now = {file: _stat(file) for file in files}
    new = [
        file
        for file, (size, when) in now.items()
        if size >= 0 and ((old := seen.get(file)) is None or (old.size, old.time) != (size, when))
    ]
    started = time.time_ns()
    with ThreadPoolExecutor(THREADS) as pool, Progress("pictures and other data", len(new), "files read") as progress:
        for file, digest in zip(new, pool.map(_sha256, new), strict=True):
            size, when = now[file]
            seen[file] = Known(size, when if when < started - UNSURE else -1, digest) if digest else ABSENT
            progress.step()
    if index is not None and seen != before:
        _write(index, seen)
    return [ABSENT if now[file][0] < 0 else seen[file] for file in files]


def digest_of_folder(folder: Path, index: Path | None = None) -> str:
    """SHA-256 of the names and contents of all files below `folder` that are not hidden: another one where a file was
    changed, deleted or added, the same where files were only touched or copied."""
    files = sorted(_files(str(folder)))
    total = hashlib.sha256()
    for file, known in zip(files, contents(files, index), strict=True):
        total.update(os.fsencode(file[len(str(folder)) :]) + b"\0" + known.sha256 + b"\n")
    return total.hexdigest()


def _files(folder: str) -> Iterator[str]:
    for place, below, names in os.walk(folder, followlinks=True):
        below[:] = [name for name in below if not hidden(name) and name != "__pycache__"]
        yield from (f"{place}/{name}" for name in names if not hidden(name))


def _stat(file: str) -> tuple[int, int]:
    """Size and time of a file; (-1, -1) of what is none: a pipe or a folder among them."""
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        return -1, -1
    return (found.st_size, found.st_mtime_ns) if found.st_mode & 0o170000 == 0o100000 else (-1, -1)


def _sha256(file: str) -> bytes:
    """Empty for a file that cannot be read."""
    try:
        with open(file, "rb") as opened:
            return hashlib.file_digest(opened, "sha256").digest()
    except OSError:
        return b""


def _read(index: Path | None) -> dict[str, Known]:
    if index is None or not index.is_file():
        return {}
    try:
        table = pq.read_table(index, schema=SCHEMA)
    except (pa.ArrowException, OSError, ValueError):
        return {}
    names, *columns = (column.to_pylist() for column in table.columns)
    return dict(zip(names, map(Known._make, zip(*columns, strict=True)), strict=True))


def _write(index: Path, seen: dict[str, Known]) -> None:
    """Names that are no Unicode are read anew each time."""
    kept = {name: known for name, known in seen.items() if known != ABSENT and _is_text(name)}
    columns = [list(kept), *(list(each) for each in zip(*kept.values(), strict=True))] if kept else [[]] * 4
    index.parent.mkdir(parents=True, exist_ok=True)
    temporary = beside(index)
    pq.write_table(
        pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA),
        temporary,
    )
    os.replace(temporary, index)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True

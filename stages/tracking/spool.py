"""Records that wait for MLflow: one book a process, of one operation a line, in mlruns/.unsent of the repository.

A book is a file of JSON lines, each with its checksum after a tab. Its first line says for which store and study it is;
the others are operations, in the order in which they are to be done. Files that an operation names are kept beside it,
for those of the study may be others by the time it is sent. Who writes a book holds its lock, so that nobody sends it
half written; the lock of a process that was killed is free.
"""

import contextlib
import json
import os
import shutil
import sys
import time
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from stages import files
from stages.tracking.connection import root

Operation = dict[str, Any]
LARGE = 1024**2


def folder() -> Path:
    return root() / "mlruns" / ".unsent"


class Book:
    """What one process could not send to `store`, for the experiment `study`. It is begun with the first record."""

    def __init__(self, store: str, study: str):
        self.head = {"store": store, "study": study}
        self.path = folder() / f"{time.time_ns()}-{uuid.uuid4().hex[:8]}.jsonl"
        self._lock = FileLock(_beside(self.path, ".lock"))

    def keep(self, operation: Operation) -> None:
        """Write one operation down, and keep the files that it names. Raises OSError."""
        if not self._lock.is_locked:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            self._write(self.head)
        self._write(self._with_files(operation))

    def close(self) -> None:
        """From now on it may be sent."""
        self._lock.release()

    def _write(self, line: Operation) -> None:
        with self.path.open("ab") as book:
            book.write(_sealed(line))
            book.flush()
            os.fsync(book.fileno())

    def _with_files(self, operation: Operation) -> Operation:
        kept = dict(operation)
        if "nested" in operation:
            kept["nested"] = [self._with_files(each) for each in operation["nested"]]
        if "paths" in operation:
            place = _beside(self.path, ".files") / uuid.uuid4().hex[:8]
            place.mkdir(parents=True)
            kept["paths"] = [_copy(Path(path), place / Path(path).name) for path in operation["paths"]]
        return kept


def waiting(store: str | None = None) -> list[tuple[Path, Operation]]:
    """The books that are there, the oldest first, each with its first line; of all stores, or of one.

    One whose first line is damaged is for nobody any more: that is said.
    """
    found = []
    for path in sorted(folder().glob("*.jsonl")):
        lines = read(path)
        if lines and "store" not in lines[0]:
            said = f"MLflow: {path}: its first line is damaged, so that its records cannot be sent; delete it"
            print(said, file=sys.stderr)
        elif lines and store in (None, lines[0]["store"]):
            found.append((path, lines[0]))
    return found


def read(path: Path) -> list[Operation]:
    """The lines of a book, but for those that are damaged; so is the last one where its writer was killed in it."""
    try:
        whole = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:  # sent meanwhile
        return []
    return [line for line in map(_opened, whole) if line is not None]


def rewrite(path: Path, lines: list[Operation]) -> None:
    """What is left of a book."""
    files.write_bytes(path, b"".join(map(_sealed, lines)))


def _sealed(line: Operation) -> bytes:
    content = json.dumps(line).encode()
    return content + b"\t%08x\n" % zlib.crc32(content)


def _opened(line: bytes) -> Operation | None:
    """None of a line that is not as it was written; those of before have no checksum."""
    content, _, seal = line.partition(b"\t")
    with contextlib.suppress(ValueError):
        if not seal or int(seal, 16) == zlib.crc32(content):
            found = json.loads(content)
            return found if isinstance(found, dict) else None
    return None


def remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    shutil.rmtree(_beside(path, ".files"), ignore_errors=True)
    _beside(path, ".lock").unlink(missing_ok=True)


@contextlib.contextmanager
def closed(path: Path) -> Iterator[bool]:
    """Whether nobody writes this book any more; nobody else sends it during the block."""
    try:
        with FileLock(_beside(path, ".lock"), timeout=0):
            yield path.exists()
    except Timeout:
        yield False


@contextlib.contextmanager
def sending(timeout: float) -> Iterator[bool]:
    """Whether this process may send: one does at a time, so that books are sent in their order."""
    folder().mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder() / "sending.lock", timeout=timeout):
            yield True
    except Timeout:
        yield False


def note_away(store: str) -> None:
    """Let the stages that follow know that the store did not answer."""
    files.write_json(folder() / "away.json", {"store": store, "time": time.time()})


def away_for(store: str) -> float:
    """Seconds since the store did not answer; infinity where it did."""
    try:
        noted = json.loads((folder() / "away.json").read_bytes())
        return time.time() - noted["time"] if noted["store"] == store else float("inf")
    except (OSError, ValueError, KeyError, TypeError):
        return float("inf")


def answered() -> None:
    (folder() / "away.json").unlink(missing_ok=True)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.stem + suffix)


def _copy(source: Path, target: Path) -> str:
    """As seen from the repository, which may move meanwhile."""
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        _link(source, target)
    return os.path.relpath(target, root())


def _link(source: Path, target: Path) -> None:
    """Of a large file a second name, where the disk allows: a model that is made anew takes the place of the first
    name alone."""
    if source.stat().st_size >= LARGE:
        with contextlib.suppress(OSError):
            os.link(source.resolve(), target)
            return
    shutil.copy2(source, target)

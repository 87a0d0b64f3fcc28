"""Temporary names beside files that are being written: nothing is ever half-written under its own name.

A name holds the number of the process and, because several computers or containers may share a folder, a sign of where
that number is one.
"""

import functools
import hashlib
import os
import platform
import re
import shutil
import time
from pathlib import Path

ABANDONED = 7 * 24 * 3600  # seconds without a change, after which what a process elsewhere has left is removed


def beside(path: Path) -> Path:
    """The name under which this process writes `path` before it gives it its own. What processes that are no more
    have left of the same file is removed; what is of other computers and containers, and perhaps in use, when it is a
    week old.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / ".model.pt.999999999.part").touch()
    >>> beside(folder / "model.pt").name == f".model.pt.{os.getpid()}-{_here()}.part"
    True
    >>> list(folder.iterdir())
    []
    """
    pattern = re.compile(rf"\.{re.escape(path.name)}\.(\d+)(?:-([0-9a-f]+))?\.part")
    for left in path.parent.iterdir() if path.parent.is_dir() else ():
        if (match := pattern.fullmatch(left.name)) and not _in_use(left, int(match[1]), match[2] or _here()):
            remove(left)
    return path.with_name(f".{path.name}.{os.getpid()}-{_here()}.part")


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@functools.cache
def _here() -> str:
    """Where the number of a process is one: a computer, or a container on it."""
    known = [os.fsencode(platform.node())]
    for read in (lambda: Path("/etc/machine-id").read_bytes(), lambda: os.readlink(b"/proc/self/ns/pid")):
        try:
            known.append(read())
        except OSError:  # not Linux
            continue
    return hashlib.sha256(b" ".join(known)).hexdigest()[:8]


def _in_use(left: Path, process: int, where: str) -> bool:
    if where == _here():
        return _lives(process)
    try:
        return time.time() - left.stat().st_mtime < ABANDONED
    except OSError:  # it is gone
        return True


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True

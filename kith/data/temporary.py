"""Temporary names beside files that are being written: nothing is ever half-written under its own name."""

import os
import re
import shutil
from pathlib import Path


def beside(path: Path) -> Path:
    """The name under which this process writes `path` before it gives it its own. What processes that are no more
    have left of the same file is removed.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / ".model.pt.999999999.part").touch()
    >>> beside(folder / "model.pt").name == f".model.pt.{os.getpid()}.part"
    True
    >>> list(folder.iterdir())
    []
    """
    pattern = re.compile(rf"\.{re.escape(path.name)}\.(\d+)\.part")
    for left in path.parent.iterdir() if path.parent.is_dir() else ():
        if (match := pattern.fullmatch(left.name)) and not _lives(int(match[1])):
            remove(left)
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True

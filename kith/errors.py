"""The one exception that a user is meant to read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

POINTER = b"version https://git-lfs.github.com"  # how a file begins that Git LFS has in the place of another


class KithError(Exception):
    """Something the user can mend: the message names the file, row and field, and says what to do.

    Stages print the message without a traceback and exit with status 1.
    """


def unreadable(path: Path, error: Exception) -> str:
    """Why a file of weights cannot be read, short: PyTorch's own words advise to read it without care.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "model.pt")
    ...     _ = path.write_bytes(b"")
    ...     unreadable(path, EOFError())
    'it is empty'
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(POINTER))
    except OSError as fault:
        return f"it cannot be opened ({fault.strerror})"
    if not start:
        return "it is empty"
    if start == POINTER:
        return "it is a pointer of Git LFS; get the file itself with git lfs pull"
    if not start.startswith((b"PK", b"\x80")):
        return "it is no file of PyTorch"
    if "weights" in str(error).lower():
        return "it holds other things than tensors and plain values, or is damaged"
    return f"it is damaged: {str(error).splitlines()[0] if str(error) else type(error).__name__}"


def listed(names: Sequence[Any], most: int = 5) -> str:
    """'a', 'b' and 7 more.

    >>> listed(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    shown = ", ".join(f"'{name}'" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"

"""The one exception that a user is meant to read, and what other faults are told as."""

import errno
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
NO_MEMORY = re.compile("DefaultCPUAllocator|out of memory|cannot allocate memory|malloc of size", re.IGNORECASE)
LONGEST = 200  # characters of what a library says
POINTER = b"version https://git-lfs.github.com"  # how a file begins that Git LFS has in the place of another


class KithError(Exception):
    """Something the user can mend: the message names the file, row and field, and says what to do.

    Stages print the message without a traceback and exit with status 1.
    """


class UnanswerableError(KithError):
    """A question that cannot be answered as it was asked: the message is for whoever asked, and names no file."""


def listed(names: Sequence[Any], most: int = 5) -> str:
    """'a', 'b' and 7 more.

    >>> listed(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    shown = ", ".join(f"'{name}'" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


@contextmanager
def reading(path: Path, advice: str) -> Iterator[None]:
    """What a library raises while it reads the file `path`, as a KithError that names it, and advises what to do.

    Too little memory is not the fault of the file, and goes through.

    >>> import json
    >>> with reading(Path("a.json"), "make it again"):
    ...     json.loads("[" * 100_000)
    Traceback (most recent call last):
    kith.errors.KithError: a.json: cannot be read (it is nested too deeply); make it again
    """
    try:
        yield
    except KithError:
        raise
    except FileNotFoundError as error:
        raise KithError(f"{path}: no such file; {advice}") from error
    except Exception as error:
        if lacks_memory(error):
            raise
        if isinstance(error, OSError) and error.errno in FORBIDDEN:
            raise KithError(of_machine(error, path)) from error
        why, what = _fault(path, error)
        raise KithError(f"{path}: cannot be read ({why}); {what or advice}") from error


def _fault(path: Path, error: Exception) -> tuple[str, str | None]:
    """Why a file cannot be read, and what to do if it is not what one would do with any other."""
    try:
        with path.open("rb") as file:
            start = file.read(len(POINTER))
    except OSError:
        return line_of(error), None
    if start == POINTER:
        return "it is a pointer of Git LFS", "get the file itself with git lfs pull"
    if not start:
        return "it is empty", None
    if "weights_only" in str(error):  # PyTorch advises to read it without care
        return "it holds other things than tensors and plain values, or is damaged", None
    return line_of(error), None


def line_of(error: BaseException) -> str:
    """What an exception says, on one line of bearable length.

    >>> line_of(ValueError("no\\nnumber")), line_of(EOFError())
    ('no number', 'EOFError')
    """
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}…"


def lacks_memory(error: BaseException) -> bool:
    """Whether it is memory that an operation did not get, of the machine or of its accelerator.

    >>> lacks_memory(MemoryError()), lacks_memory(RuntimeError("CUDA out of memory")), lacks_memory(ValueError("b"))
    (True, True, False)
    """
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | OSError) and NO_MEMORY.search(str(error)) is not None
    )


def of_machine(error: BaseException, path: Path | None = None) -> str | None:
    """The line for a fault of the machine: a full disk, a file that may not be read or written, too little memory.
    None for any other fault. path: of the file, where the error does not say it.

    >>> of_machine(OSError(errno.ENOSPC, "No space left on device", "a.npy"))
    'a.npy: No space left on device; make room there, then run it again'
    >>> of_machine(ValueError("b"))
    """
    if lacks_memory(error):
        return (
            f"too little memory ({line_of(error)}); end other programs, or ask for less: a smaller batch_size or "
            "prepare.image.size, prepare.image.store: photos"
        )
    if not isinstance(error, OSError):
        return None
    name = error.filename if error.filename is not None else path
    file = "" if name is None else f"{name}: "
    if error.errno in FULL:
        return f"{file}{error.strerror}; make room there, then run it again"
    if error.errno in FORBIDDEN:
        return f"{file}{error.strerror}; give yourself the right to it, or name another place"
    if error.errno == errno.ENOENT:
        return f"{file}{error.strerror}; make it first, or name another"
    if error.errno in (errno.EISDIR, errno.ENOTDIR):
        return f"{file}{error.strerror}; name another"
    return f"{file}{error.strerror or line_of(error)}"

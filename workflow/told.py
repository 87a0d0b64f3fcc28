"""One sentence for what ends a run of Snakemake: a full disk, a file that may not be written, an error of Kith's own.

A stage tells it itself, into its log, unless there is no room for that either. Where Snakemake's own work fails, it
prints a traceback, or what it has noticed without what to do.
"""

import contextlib
import errno
import logging
import os
import sys
import traceback
from pathlib import Path

from kith.data.temporary import beside
from kith.errors import FORBIDDEN, FULL, KithError, lacks_memory, listed, of_machine
from kith.errors import line_of as line_of_error

ROOM = 1 << 20  # bytes that the notes of a run take at most
TOLD = (*FULL, *FORBIDDEN, errno.EISDIR, errno.ENOTDIR)
WRITE_PROTECTED = "ProtectedOutputException"
AFFECTED = "affected files:"


class Told(logging.Filter):
    """Puts the sentence in the place of what Snakemake would print; with KITH_TRACEBACK=1 before it."""

    def filter(self, record: logging.LogRecord) -> bool:
        line = line_of(sys.exc_info()[1]) if record.levelno >= logging.ERROR else None
        if line is not None:
            shown = f"{record.msg}\n" if os.environ.get("KITH_TRACEBACK") else ""
            record.msg, record.args = f"{shown}error: {line}", ()
        return True


def tell(logger: logging.Logger) -> None:
    """Have faults of the machine told by this logger of Snakemake's. What it cannot write into its own log, because the
    disk is full, is no error of its own."""
    logging.raiseExceptions = False
    if not any(isinstance(each, Told) for each in logger.filters):
        logger.addFilter(Told())


def line_of(error: BaseException | None) -> str | None:
    """The sentence for an exception of Snakemake's, or for the one that it came from; None for what is neither a
    KithError nor a fault of the machine.

    >>> import errno
    >>> line_of(OSError(errno.EPERM, "Operation not permitted", "reports/a.csv"))
    'reports/a.csv: Operation not permitted; give yourself the right to it, or name another place'
    >>> line_of(KeyError("a"))
    """
    if type(error).__name__ == WRITE_PROTECTED and AFFECTED in str(error):
        files = str(error).split(AFFECTED)[1].split("\n")
        named = listed([each.strip() for each in files if each.strip()])
        return f"{named}: may not be written; give yourself the right to it (chmod u+w, chattr -i), then run it again"
    while error is not None:
        if isinstance(error, KithError):
            return str(error)
        if lacks_memory(error) or (isinstance(error, OSError) and error.errno in TOLD):
            return of_system(_with_folder(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return None


def of_system(error: BaseException) -> str:
    """The sentence for an error of the system, in a file of the engines' own, whose place nobody can choose.

    >>> import errno
    >>> of_system(OSError(errno.EISDIR, "Is a directory", "dvc.lock"))
    'dvc.lock: is a folder, and a file belongs there; move it away, then run it again'
    """
    if isinstance(error, OSError) and error.errno == errno.EISDIR and error.filename is not None:
        return f"{error.filename}: is a folder, and a file belongs there; move it away, then run it again"
    if isinstance(error, OSError) and error.errno in (errno.ENOTDIR, errno.EEXIST) and error.filename is not None:
        return f"{error.filename}: a file is where a folder belongs; move it away, then run it again"
    return of_machine(error, Path.cwd()) or line_of_error(error)


def _with_folder(error: BaseException) -> BaseException:
    """Before Python 3.13, what removes a folder names a file in it without the folder."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "_rmtree_safe_fd" and isinstance(error, OSError):
            error.filename = frame.f_locals.get("fullname", error.filename)
    return error


def need_room(folder: Path) -> None:
    """Raises KithError where nothing can be written into `folder`: its disk is full, or it is not to be written."""
    written = beside(folder / "room")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written.write_bytes(bytes(ROOM))
    except OSError as error:
        error.filename = error.filename and str(folder.absolute())
        raise KithError(of_system(error)) from error
    finally:
        with contextlib.suppress(OSError):  # it is not there, or cannot be
            written.unlink()

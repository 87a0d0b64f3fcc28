"""Sends records to MLflow, or keeps them where it is away: no stage waits for it, and none fails by it."""

import math
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.tracking import connection, spool
from stages.tracking.connection import LOCK, Away, Busy, Connection, Slow
from stages.tracking.sender import Sender
from stages.tracking.spool import Book, Operation

AGAIN = 60  # seconds until a store that was away is asked again, by this stage or by the next ones
SLOW = 15  # seconds that a stage waits for a server's answers in all: then the rest of its records waits for the next
TURN = 3  # seconds to wait for another process that sends to a server
UNANSWERED = re.compile(r"API request to \S+ failed with (timeout )?exception")  # as MLflow says it
# What MLflow says of a record that it will never take; anything else may be better later.
REFUSALS = {"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "BAD_REQUEST", "RESOURCE_ALREADY_EXISTS"}


class Recorder:
    """Records one run. Every operation is sent at once, or kept in a book, with all that follow it.

    patient: all is kept, for whoever sends next.
    """

    def __init__(self, store: str, study: str, *, patient: bool = False):
        self.store, self.study, self.patient = store, study, patient
        self.kept_as = store_kept(store)
        self.book = Book(self.kept_as, study)
        self.sender: Sender | None = None
        self.kept, self.told, self.slow = False, False, False

    def open(self) -> None:
        """Connect, and send what waits: what is recorded now may go on with it."""
        if self.patient:
            return
        try:
            away = spool.away_for(self.kept_as)
            if away < AGAIN:
                raise Busy(f"was away {away:.0f} seconds ago")
            reached = connection.connect(self.store, self.study)
            if not send_waiting(reached, self.kept_as, most=SLOW):
                raise Busy("has to wait for another process, which sends what waits")
        except Exception as error:
            self._away(error)
            return
        self.sender = Sender(reached, SLOW)

    def record(self, operation: Operation) -> None:
        """Do it, or keep it. Raises nothing."""
        if self.sender is not None:
            try:
                self.sender.do(operation)
                return
            except Exception as error:
                if refused(error):
                    self._refused(error)
                    return
                self._away(error)
                self._keep(self.sender.known())
                self.sender = None
        self._keep(operation)

    def close(self) -> None:
        """Try once more to send what was kept, if the store has had time to come back."""
        self.book.close()
        if self.patient or self.slow or not self.kept or spool.away_for(self.kept_as) < AGAIN:
            return
        try:
            send_waiting(connection.connect(self.store, self.study), self.kept_as, most=SLOW)
        except Exception as error:
            self._away(error)

    def _away(self, error: Exception) -> None:
        self.slow = isinstance(error, Slow)
        line = f"{connection.shown(self.store)} {reason(error)}"
        tell(f"{line}; records wait for the next stage, or for `kith track --send`")
        if not isinstance(error, Busy):
            with _told():
                spool.note_away(self.kept_as)

    def _refused(self, error: Exception) -> None:
        """Said once: what follows a run that is refused has none to be recorded in."""
        if not self.told:
            tell(f"{connection.shown(self.store)} refuses a record ({reason(error)}); it is left out")
        self.told = True

    def _keep(self, operation: Operation) -> None:
        with _told():
            self.book.keep(operation)
            self.kept = True


def send_waiting(
    reached: Connection, kept: str, told: Callable[[str], None] = lambda line: None, most: float = math.inf
) -> bool:
    """Send the books for the store that they call `kept`, the oldest first; False where another process is about it.

    most: seconds that may go by for the answers to one book.
    """
    if spool.waiting(kept):
        with spool.sending(LOCK if connection.database(reached.store) else TURN) as mine:
            if not mine:
                return False
            for path, head in spool.waiting(kept):
                with spool.closed(path) as done:
                    if done:
                        send_book(path, connection.connect(reached.store, head["study"]), told, most)
    spool.answered()
    return True


def send_book(
    path: Path, reached: Connection, told: Callable[[str], None] = lambda line: None, most: float = math.inf
) -> None:
    """Do what a book says, and remove it; of what cannot be done now the rest stays. Raises what MLflow raises."""
    sender, (head, *left) = Sender(reached, most), spool.read(path)
    while left:
        try:
            sender.do(left[0])
        except Exception as error:
            if not refused(error):
                spool.rewrite(path, [head, sender.known(), *left])
                raise
            tell(f"a record that waited is left out ({reason(error)})")
        left.pop(0)
    spool.remove(path)
    told(f"sent {path.stem} to {connection.shown(reached.store)}, experiment {head['study']}")


def store_kept(store: str) -> str:
    """A store as books name it: that of the repository by no name, so that a copy of the folder is not the original."""
    path = connection.database(store)
    return path.name if path is not None and is_own(store) else connection.shown(store)


def is_own(store: str) -> bool:
    """Whether it is a database in the repository itself, which nobody watches from elsewhere."""
    path = connection.database(store)
    return path is not None and path.parent == connection.root().absolute()


def address(kept: str) -> str:
    """The store that books call so."""
    if kept == store_kept(connection.store()):
        return connection.store()  # with its password
    return kept if "://" in kept else f"sqlite:///{connection.root() / kept}"


def refused(error: Exception) -> bool:
    """Whether it would be the same at any other time; also of a run that was refused, or a file that has gone."""
    return isinstance(error, KeyError | FileNotFoundError) or getattr(error, "error_code", None) in REFUSALS


def reason(error: Exception) -> str:
    """The first line of an error, without what MLflow adds for its developers."""
    if isinstance(error, Away):
        return str(error)
    if UNANSWERED.match(str(error)):
        return "answers no more"
    line = (str(error).strip().splitlines() or [""])[0][:200]
    return f"fails: {type(error).__name__}{': ' if line else ''}{line}"


def tell(line: str) -> None:
    print(f"MLflow: {line}", file=sys.stderr)


@contextmanager
def _told() -> Iterator[None]:
    """A record that cannot even be kept costs a line, not the stage."""
    try:
        yield
    except Exception as error:
        tell(f"nothing is recorded: {reason(error)}")

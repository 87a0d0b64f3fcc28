"""How far a piece of work is: a bar on a terminal, else a line now and then."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TypeVar

from tqdm import tqdm

EVERY = 30.0  # seconds between two lines
REFRESH = 0.2  # seconds between two looks of a bar
SOON = 90  # seconds that are not told in minutes

T = TypeVar("T")

_others: list[Callable[[str], object]] = []  # who gets the lines besides standard error


def also_to(write: Callable[[str], object]) -> None:
    """Give the lines of all work to `write` too: to the terminal of a program that keeps what this one prints."""
    _others.append(write)


class Progress:
    """Counts the steps of a piece of work and tells how far it is, on standard error: with a bar if that is a terminal,
    else with a line every EVERY seconds. Work that is done before tells nothing.

    name: what is done; total: how many steps, if that is known; unit: what a step is, in the plural; before: steps that
    were done at another time; shown: False tells nothing, as of all processes but the first.

    >>> with Progress("prepare", 3, "pictures") as progress:
    ...     progress.step()
    ...     progress.line()
    'prepare: 1 of 3 pictures'
    """

    def __init__(
        self, name: str, total: int | None = None, unit: str = "steps", *, before: int = 0, shown: bool = True
    ):
        self.name, self.total, self.unit = name, total, unit
        self.done, self.place, self._before = before, "", before
        self._started = self._told = time.monotonic()
        self._shown, self._bar = shown, None
        if shown and sys.stderr.isatty():
            # The line says all but how long the bar is.
            self._bar = tqdm(total=total, desc=self.line(), leave=False, bar_format="{desc} {bar}", dynamic_ncols=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self, count: int = 1, place: str = "") -> None:
        """So many more steps are done; place: where in the work this is, in place of the number of steps."""
        self.done, self.place = self.done + count, place
        now = time.monotonic()
        if not self._shown or now - self._told < (EVERY if self._bar is None else REFRESH):
            return
        self._told = now
        if self._bar is None:
            self._tell()
        else:
            self._bar.n = self.done
            self._bar.set_description_str(self.line())

    def clear(self) -> None:
        """Make room for other lines; the bar comes again with the next steps."""
        if self._bar is not None:
            self._bar.clear()

    def line(self) -> str:
        """Where the work is, and about how long it still takes."""
        known = "" if self.total is None else f" of {self.total:,}"
        where = f", {self.place}" if self.place else f": {self.done:,}{known} {self.unit}"
        left = self._left()
        return self.name + where + ("" if left is None else f", about {duration(left)} left")

    def _left(self) -> float | None:
        """Seconds, by those of the steps that are done."""
        passed, done = time.monotonic() - self._started, self.done - self._before
        if not done or self.total is None or passed < 1:
            return None
        return passed / done * max(0, self.total - self.done)

    def _tell(self) -> None:
        line = f"{self.line()}\n"
        for write in (sys.stderr.write, *_others):
            with contextlib.suppress(OSError, ValueError):  # nobody may be there to read it
                write(line)


def over(items: Iterable[T], name: str, total: int | None = None, unit: str = "steps") -> Iterator[T]:
    """The items, each a step of a piece of work: see Progress.

    >>> list(over("abc", "read", 3, "rows"))
    ['a', 'b', 'c']
    """
    with Progress(name, total, unit) as progress:
        for item in items:
            yield item
            progress.step()


def duration(seconds: float) -> str:
    """In words, as far as it is worth saying.

    >>> duration(7), duration(83), duration(400), duration(7300)
    ('10 s', '80 s', '7 min', '2 h 2 min')
    """
    if seconds < SOON:
        return f"{max(10, round(seconds / 10) * 10)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"

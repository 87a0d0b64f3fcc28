"""Work in threads, in order: batches made ahead of their use, and the rows of a batch at once."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(make: Callable[[Item], Made], items: Iterable[Item], count: int) -> Generator[Made, None, None]:
    """`make` of each item, in their order; up to `count` are made in a thread while the one before is used.

    With 0 each is made when it is asked for. What `make` raises is raised in its turn.

    >>> list(ahead(str.upper, "abc", 2))
    ['A', 'B', 'C']
    """
    if not count:
        yield from map(make, items)
        return
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        waiting: deque[Future[Made]] = deque()
        try:
            for item in items:
                waiting.append(thread.submit(make, item))
                if len(waiting) > count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()


def together(do: Callable[[int], None], count: int, workers: int) -> None:
    """`do` of 0…count − 1, in any order, by so many threads; by this one where `workers` is 0 or 1.

    >>> found = [0] * 3
    >>> together(lambda place: found.__setitem__(place, place + 1), 3, workers=2)
    >>> found
    [1, 2, 3]
    """
    threads = min(workers, count)
    for _ in map(do, range(count)) if threads < 2 else _pool(workers).map(do, range(count)):
        pass


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="pictures")

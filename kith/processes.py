"""Work that several processes of this machine share: its parts go to whoever is free, and what they give comes back in
the order of the parts.

Each process opens for itself what it needs, files mapped into memory where they can be, and gets the rest with a part:
nothing is there once a process but the networks. None of them outlives the one that started them.
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from itertools import chain, islice
from multiprocessing import get_context, parent_process
from multiprocessing.queues import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from kith.errors import KithError

if TYPE_CHECKING:
    import torch

FEW = 4  # parts a process, which are done in about the seconds that a process takes to start
WAITING = 2  # parts a process, one of which it works on

Part = TypeVar("Part")
Given = TypeVar("Given")
Work = Callable[[Part], Given]
Opened = Callable[[int], Work[Part, Given]]  # of the number of a process, from 0; the only thing that is sent to it

_begun: list[tuple[Opened[Any, Any], int]] = []  # in a process that was started here


def shared(
    opened: Opened[Part, Given], here: Work[Part, Given], parts: Iterable[Part], processes: int, name: str
) -> Iterator[tuple[Part, Given]]:
    """Each part with what is made of it, in the order of `parts`.

    opened: gives what makes it, in each process; has to be picklable, as have the parts and what is made of them. What
    it raises is raised here. here: the same in this process, for so few parts that others would not have started before
    they are done. name: of the work, for messages. Raises KithError where a process is killed.

    >>> list(shared(lambda place: str.upper, str.upper, "ab", processes=1, name="letters"))
    [('a', 'A'), ('b', 'B')]
    """
    coming = iter(parts)
    first = list(islice(coming, FEW * processes)) if processes > 1 else []
    if len(first) < FEW * processes:
        yield from ((part, here(part)) for part in chain(first, coming))
        return
    context = get_context("spawn")  # CUDA, and threads, do not outlive a fork
    places = context.SimpleQueue()
    for place in range(processes):
        places.put(place)
    pool = ProcessPoolExecutor(processes, context, _begin, (opened, places))
    waiting: deque[tuple[Part, Future[Given]]] = deque()
    try:
        for part in chain(first, coming):
            with _uninterrupted():
                waiting.append((part, pool.submit(_made, part)))
            if len(waiting) >= WAITING * processes:
                yield _taken(waiting)
        while waiting:
            yield _taken(waiting)
    except BrokenProcessPool:
        raise KithError(
            f"{name}: one of the {processes} processes was killed, as by a system that runs out of memory; give the "
            "same command again, with fewer processes if it is that"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def device_of(place: int, kind: str) -> "torch.device":
    """Where process number `place` computes: one process a GPU, or several where there are more processes.

    >>> device_of(3, "cpu")
    device(type='cpu')
    """
    import torch

    return torch.device(kind, place % torch.cuda.device_count()) if kind == "cuda" else torch.device(kind)


def _taken(waiting: deque[tuple[Part, Future[Given]]]) -> tuple[Part, Given]:
    part, future = waiting.popleft()
    return part, future.result()


def _begin(opened: Opened[Any, Any], places: "SimpleQueue[int]") -> None:
    """How a process begins."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _begun.append((opened, places.get()))


def _end_with_parent() -> None:
    """A process that waits for parts would not notice that nobody gives it any more."""
    above = parent_process()
    if above is not None:
        above.join()
        os._exit(1)


def _made(part: Any) -> Any:
    return _work()(part)


@cache
def _work() -> Work[Any, Any]:
    """Opened with the first part: so what it raises gets to the one that waits for that."""
    opened, place = _begun[0]
    return opened(place)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C is for the process that has started the others: these get none, as what blocks a signal is inherited."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

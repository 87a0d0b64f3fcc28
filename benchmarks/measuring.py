"""CPU seconds, wall seconds and memory of one piece of work, in a process of its own."""

import gc
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).resolve().parents[1]
THREADS = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
PRELOADED = ["numpy", "scipy.sparse", "scipy.linalg", "pandas", "torch", "kith.models", "kith.losses", "kith.metrics"]
REPEATED_S, REPEATS = 0.3, 1000  # a short piece of work is done again until so many CPU seconds, so often at most
AGAIN_S = 3.0  # what takes less is done again: its first time may have been one of imports
LIMIT_S, MEMORY_GB = 300, 6.0  # of one piece of work, if it does not say else: CPU seconds and memory
NO_MEMORY = ("not enough memory", "can't allocate", "cannot allocate", "bad_alloc", "unable to allocate")
# Times of less than this say nothing.
LEAST_S = 1e-6


@dataclass
class Figures:
    """cpu, wall: seconds; mb: the most memory above what was there before; answer: what the work returned; failed: why
    there are no figures (a package that is not installed, no memory, too long)."""

    cpu: float = float("nan")
    wall: float = float("nan")
    mb: float = float("nan")
    answer: Any = None
    failed: str | None = None
    missing: bool = False


class Measurable(Protocol):
    """Something that can be measured; it gives its figures."""

    def measure(self) -> Figures: ...


@dataclass(frozen=True)
class Way:
    """`make(*arguments)`, not measured, gives the work, which is: a function without arguments. `make` is found by its
    name in its module. limit_s, memory_gb: CPU seconds and memory that it may take."""

    make: Callable[..., Callable[[], Any]]
    arguments: tuple[Any, ...] = ()
    limit_s: int = LIMIT_S
    memory_gb: float = MEMORY_GB

    def measure(self) -> Figures:
        here, there = multiprocessing.Pipe(duplex=False)
        process = _server().Process(target=_child, args=(there, self.make, self.arguments, self.memory_gb))
        process.start()
        there.close()
        try:
            while not here.poll(1):
                # RLIMIT_CPU would do, if it did not make the process's clock tick in whole milliseconds.
                if process.pid and _cpu_seconds(process.pid) > self.limit_s:
                    return Figures(failed=f"more than {self.limit_s} CPU s")
            found = here.recv()
        except EOFError:
            process.join()
            raise SystemExit(f"{self.make.__name__}{self.arguments}: ended with status {process.exitcode}") from None
        finally:
            process.kill()
            process.join()
        if isinstance(found, str):
            raise SystemExit(f"{self.make.__name__}{self.arguments}:\n{found}")
        return found


@dataclass(frozen=True)
class Program:
    """A Python process with these arguments in `folder`. Its answer is what it told on standard error."""

    arguments: tuple[str, ...]
    folder: Path

    def measure(self) -> Figures:
        environment = os.environ | THREADS | {"PYTHONPATH": str(ROOT)}
        start = time.perf_counter()
        with tempfile.TemporaryFile("w+") as told:
            child = subprocess.Popen(
                [sys.executable, *self.arguments],
                cwd=self.folder,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=told,
            )
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            told.seek(0)
            text = told.read()
        if status:
            raise SystemExit(f"{' '.join(self.arguments)}: status {child.returncode}\n{text}")
        wall, cpu = time.perf_counter() - start, usage.ru_utime + usage.ru_stime
        return Figures(cpu, wall, usage.ru_maxrss / 1024, text)


def _server() -> Any:
    """Processes are forked from one that has imported what is heavy and done nothing: they start in no time, and their
    memory is their own."""
    os.environ.update(THREADS)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _child(
    connection: Connection, make: Callable[..., Callable[[], Any]], arguments: tuple[Any, ...], memory_gb: float
) -> None:
    try:
        found: Figures | str = _measured(make, arguments, memory_gb)
    except ImportError as error:
        found = Figures(failed=f"{(error.name or 'a package').partition('.')[0]} is not installed", missing=True)
    except Exception as error:
        lacking = isinstance(error, MemoryError) or any(word in str(error).lower() for word in NO_MEMORY)
        found = Figures(failed="out of memory") if lacking else traceback.format_exc()
    connection.send(found)
    connection.close()


def _measured(make: Callable[..., Callable[[], Any]], arguments: tuple[Any, ...], memory_gb: float) -> Figures:
    import torch

    torch.set_num_threads(1)
    work = make(*arguments)
    gc.collect()
    before = _status("VmRSS")
    limit = int((_status("VmSize") / 1024 + memory_gb) * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    Path("/proc/self/clear_refs").write_text("5")  # the most so far begins anew
    answer, *spent = _timed(work)
    peak = _status("VmHWM") - before
    if spent[0] < AGAIN_S:
        spent = _repeated(work)
    return Figures(max(spent[0], LEAST_S), spent[1], max(peak, 0.0), _portable(answer))


def _repeated(work: Callable[[], Any]) -> list[float]:
    """CPU and wall seconds of one of many calls: the fastest, as little else as can be in it."""
    times: list[list[float]] = []
    while not times or (sum(cpu for cpu, _ in times) < REPEATED_S and len(times) < REPEATS):
        times.append(_timed(work)[1:])
    return [min(each) for each in zip(*times, strict=True)]


def _timed(work: Callable[[], Any]) -> list[Any]:
    cpu, wall = time.process_time(), time.perf_counter()
    answer = work()
    return [answer, time.process_time() - cpu, time.perf_counter() - wall]


def _cpu_seconds(pid: int) -> float:
    """Of a process that runs, in whole ticks."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _status(name: str) -> float:
    """MB, from /proc/self/status."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def _portable(answer: Any) -> Any:
    """Arrays, numbers and dicts of them; a tensor as an array."""
    if isinstance(answer, dict):
        return {key: _portable(value) for key, value in answer.items()}
    if isinstance(answer, list | tuple):
        return [_portable(value) for value in answer]
    return answer.detach().cpu().numpy() if hasattr(answer, "detach") else answer

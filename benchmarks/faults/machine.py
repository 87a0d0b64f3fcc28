"""A disk that fills up while a stage runs, and two runs at once in one folder."""

import contextlib
import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults import outcome
from benchmarks.faults.checkout import ENGINES, LONGEST, Checkout, end_session

SPARE = (0, 16, 256, 2048, 8192)  # KB that are free on the full disk
FULL = "disk full"


def full_disk(row: outcome.Row, checkout: Checkout, wanted: dict[str, str], drawn: random.Random) -> None:
    """The stage row.place is to do on a disk with next to no room; then room is made."""
    spare = drawn.choice(SPARE)
    row.moment = f"{spare} KB free"
    try:
        with _small_disk(checkout, spare) as (small, filler):
            small.forget(row.place)
            outcome.judge(row, small, wanted, lambda: filler.unlink(missing_ok=True))
    except (OSError, subprocess.CalledProcessError) as error:
        row.ended, row.besides = "not done", f"no small disk here ({error})"


@contextmanager
def _small_disk(checkout: Checkout, spare: int) -> Iterator[tuple[Checkout, Path]]:
    """The checkout on a disk of its own that has `spare` KB left, and the file that takes the rest."""
    place = checkout.folder.parent / "disk"
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512m", "tmpfs", str(place)], check=True, capture_output=True)
    try:
        small = checkout.copy(place / "checkout")
        small.log = checkout.folder  # there is room for it
        filler = place / "filler"
        with filler.open("wb") as file, contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(place).free - 1024 * spare))
        yield small, filler
    finally:
        for _ in range(20):
            if not subprocess.run(["umount", str(place)], capture_output=True).returncode:
                break
            time.sleep(0.5)


def two_at_once(row: outcome.Row, checkout: Checkout, wanted: dict[str, str], drawn: random.Random) -> None:
    """A second run of the engine row.fault begins while the first one does the stage row.place."""
    checkout.forget(row.place)
    first = checkout.start(name="first")
    wait = drawn.uniform(0, 15)
    time.sleep(wait)
    other = row.fault.removeprefix("beside ")
    second = checkout.start(engine=other, name="second")
    row.moment = f"after {wait:.1f} s"
    ended = []
    for run in (first, second):
        try:
            ended.append(run.wait(LONGEST))
        except subprocess.TimeoutExpired:
            end_session(run.pid)
            ended.append(124)
    told = [outcome.sentence(checkout.said(name)) for name in ("first", "second")]
    half = outcome.halves(checkout, wanted)
    rerun = outcome.judge(row, checkout, wanted)
    silent = [name for name, status, line in zip(("first", "second"), ended, told, strict=True) if status and not line]
    row.sentence = row.sentence or next(filter(None, told), "")
    if row.ended == outcome.SAME and any(ended):
        row.ended = outcome.HAND if silent else outcome.TOLD
    besides = [row.besides, f"half-written: {' '.join(half)}" if half else ""]
    besides += [f"{name} run failed without a sentence" for name in silent]
    row.besides = "; ".join(filter(None, besides))
    assert rerun is not None


TWO = {f"beside {engine}": two_at_once for engine in ENGINES}

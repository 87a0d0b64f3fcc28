"""Parts go to several processes and come back in order; what goes wrong in one of them ends all with a sentence."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kith import processes
from kith.errors import KithError
from kith.processes import shared

ROOT = Path(__file__).resolve().parents[1]


def numbered(place: int):
    return lambda part: (place, os.getpid(), part * part)


def slow_for_some(place: int):
    def work(part: int) -> int:
        time.sleep(0.05 * (part % 3 == 0))
        return part

    return work


def failing(place: int):
    raise KithError("a.npy: no such file")


def killed_at_five(place: int):
    return lambda part: os.kill(os.getpid(), signal.SIGKILL) if part == 5 else part


def here(part: int):
    raise AssertionError("not in this process")


def test_each_part_is_worked_on_once_and_comes_in_its_turn():
    found = list(shared(numbered, here, range(30), 2, "numbers"))
    assert [(part, made[2]) for part, made in found] == [(part, part * part) for part in range(30)]
    workers = {(made[0], made[1]) for _, made in found}
    assert {place for place, _ in workers} <= {0, 1}
    assert os.getpid() not in {process for _, process in workers}
    assert [made for _, made in shared(slow_for_some, here, range(20), 2, "numbers")] == list(range(20))


def test_few_parts_and_one_process_start_no_others():
    found = list(shared(failing, lambda part: part + 1, range(2 * processes.FEW - 1), 2, "numbers"))
    assert found == [(part, part + 1) for part in range(2 * processes.FEW - 1)]
    assert len(list(shared(failing, lambda part: part, range(100), 1, "numbers"))) == 100
    assert list(shared(failing, here, [], 3, "numbers")) == []


def test_parts_are_made_as_they_are_asked_for():
    made = []

    def parts():
        for part in range(1000):
            made.append(part)
            yield part

    coming = shared(slow_for_some, here, parts(), 2, "numbers")
    next(coming)
    assert len(made) <= 2 * max(processes.FEW, processes.WAITING)
    coming.close()


def test_what_fails_in_a_process_is_raised_here():
    with pytest.raises(KithError, match=r"^a\.npy: no such file$"):
        list(shared(failing, here, range(30), 2, "numbers"))


def test_a_killed_process_is_one_sentence():
    found = []
    with pytest.raises(KithError, match=r"^numbers: one of the 2 processes was killed, .*give the same command again"):
        found.extend(part for part, _ in shared(killed_at_five, here, range(30), 2, "numbers"))
    assert found == list(range(len(found)))
    assert len(found) <= 5


def test_the_processes_end_with_the_one_that_started_them(tmp_path):
    program = (
        "import sys; from kith.processes import shared; from tests import test_processes as own\n"
        "for part, made in shared(own.numbered, own.here, range(10**6), 2, 'numbers'): print(made[1], flush=True)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    workers = {int(process.stdout.readline()) for _ in range(20)}
    process.kill()
    process.wait()
    deadline = time.monotonic() + 60
    while any(map(lives, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(lives, workers))


def lives(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False

"""Freed memory is kept, which a page fault a page would tell."""

import ctypes
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

from kith.training.memory import MMAP_THRESHOLD, TRIM_THRESHOLD, keep_freed_memory

FAULTS = """
import resource, torch
from kith.training.memory import keep_freed_memory
assert {kept} is False or keep_freed_memory()

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def step():
    return [torch.ones(size, 1024, 1024) for size in (4, 12, 1, 12, 4)]

for _ in range(6):
    step()
before = faults()
step()
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_a_later_step_asks_the_system_for_no_memory():
    counts = [
        int(subprocess.run([sys.executable, "-c", FAULTS.format(kept=kept)], capture_output=True, text=True).stdout)
        for kept in (False, True)
    ]
    assert counts[1] < counts[0] / 10


@pytest.mark.parametrize(("most", "kept"), [(2**31, True), (2**25, True), (0, False)])
def test_what_an_older_library_takes_is_enough_and_where_it_takes_nothing_all_stays(monkeypatch, most, kept):
    """Some refuse a threshold above 32 MiB; the other option alone would leave it at 128 KiB for good."""
    known = {}

    def mallopt(option: int, size: int) -> int:
        if option == MMAP_THRESHOLD and size > most:
            return 0
        known[option] = size
        return 1

    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=mallopt))
    assert keep_freed_memory() is kept
    assert known == ({MMAP_THRESHOLD: min(most, 2**30), TRIM_THRESHOLD: 2**31 - 1} if kept else {})

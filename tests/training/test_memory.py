"""Freed memory is kept, which a page fault a page would tell."""

import platform
import subprocess
import sys

import pytest

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

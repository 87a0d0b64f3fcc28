"""What a stage imports when it starts: every run of an engine starts one process a stage."""

import subprocess
import sys

# Each takes some tenths of a second, or seconds.
SLOW = ("mlflow", "torch", "torch._dynamo", "sympy", "sklearn", "matplotlib", "scipy", "pandas")
TOLD = """
import sys
from importlib import import_module
for stage in sys.argv[2:]:
    import_module(f"stages.{stage}")
    print(stage, *(name for name in sys.argv[1].split() if name in sys.modules))
"""


def imported(*stages: str) -> dict[str, set[str]]:
    """What of the slow packages is there after each stage has been imported, one after the other."""
    command = [sys.executable, "-c", TOLD, " ".join(SLOW), *stages]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {stage: set(names) for stage, *names in map(str.split, lines)}


def test_a_stage_imports_only_what_it_needs():
    found = imported("study", "fetch", "track", "prepare", "neighbors", "evaluate", "taxonomy", "text", "compare")
    assert found["fetch"] == set()
    assert found["prepare"] <= {"pandas"}
    assert found["evaluate"] <= {"pandas"}
    assert found["compare"] <= {"pandas", "scipy"}


def test_a_training_does_not_import_what_compiles_fits_and_draws():
    assert imported("embed", "train")["train"] <= {"pandas", "torch"}

"""A training loads nothing of torch.compile, and whoever compiles afterwards can."""

import subprocess
import sys

import pytest
import torch

from kith.training.uncompiled import NAME, StandIn, uncompiled

TRAINED = """
import sys
import torch
from kith.training import devices
from kith.training.loop import fit
from kith.training.options import TrainingConfig
from tests.made import model_and_objective, pair_data

data, vocabulary = pair_data()
states = []
fabric = devices.fabric(threads=1, device="cpu", devices=1, precision="32")
for schedule in ("refine", "cosine"):
    model, objective = model_and_objective(len(vocabulary))
    config = TrainingConfig(epochs=2, batch_size=48, schedule=schedule)
    fit(model, objective, data, config, fabric, on_checkpoint=states.append)
model, objective = model_and_objective(len(vocabulary))
fit(model, objective, data, config, fabric, resume=states[2])
print(*(name for name in ("torch._dynamo", "sympy", "pandas") if name in sys.modules))
print(torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)).item(), "torch._dynamo.utils" in sys.modules)
"""


def test_a_training_does_without_and_a_compiler_works_afterwards():
    done = subprocess.run([sys.executable, "-c", TRAINED], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["pandas", "2.0 True"]


@pytest.fixture
def unloaded(monkeypatch):
    """As if nothing had loaded it yet."""
    monkeypatch.delitem(sys.modules, NAME, raising=False)


def test_the_stand_in_is_there_for_the_block_alone(unloaded):
    with pytest.raises(KeyError, match="broken"), uncompiled():
        assert isinstance(sys.modules[NAME], StandIn)
        raise KeyError("broken")
    assert NAME not in sys.modules


def test_what_is_loaded_stays():
    before = sys.modules.setdefault(NAME, torch._dynamo)
    with uncompiled():
        assert sys.modules[NAME] is before


def test_for_anything_else_the_real_one_is_loaded():
    code = (
        "import sys, torch; from kith.training.uncompiled import uncompiled\n"
        "with uncompiled():\n    import torch._dynamo; torch._dynamo.config.verbose\n"
        "print(sys.modules['torch._dynamo'].__file__ is not None, torch._dynamo.OptimizedModule.__mro__[1].__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "Module"]

"""Towers compiled for a GPU: fewer, larger kernels, launched as one graph, after a minute that the first step takes."""

import torch
from torch import nn

MODE = "reduce-overhead"  # small networks wait for their kernels to be launched, not for what these compute


def compile_towers(towers: list[nn.Module], device: torch.device) -> bool:
    """Compile these modules where they stand, for what they are called with from now on; returns whether it was done.

    Their names and weights stay. On a CPU nothing is done: it does not pay there. What cannot be compiled, or where
    there is no compiler, runs as it is, with a warning of torch's.

    >>> compile_towers([nn.Linear(2, 2)], torch.device("cpu"))
    False
    """
    if device.type != "cuda":
        return False
    torch._dynamo.config.suppress_errors = True
    if torch.are_deterministic_algorithms_enabled():  # so that the compiler knows
        torch.use_deterministic_algorithms(True, warn_only=torch.is_deterministic_algorithms_warn_only_enabled())
    for tower in towers:
        tower.compile(mode=MODE)
    return True

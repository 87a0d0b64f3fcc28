"""Device, precision and threads of a training."""

import logging
import os
import warnings
from typing import Any, Literal

import torch

from kith.networks.bf16 import has_bf16
from kith.training.lightning import Fabric
from kith.training.memory import keep_freed_memory

Precision = Literal["auto", "32", "bf16", "16"]


def fabric(*, threads: int, device: Literal["auto", "cpu", "cuda"], devices: int, precision: Precision) -> Fabric:
    """One process, or one a device (DDP) where `devices` > 1, or as many as torchrun has started; already launched.

    threads: of each process on the CPU. device: "auto" is CUDA where there is one. precision: of the towers; "auto" is
    bf16 where the processor computes in it, else float32. Changes settings of torch and of memory for the whole
    process.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message="The `srun` command is available")
    torch.set_num_threads(threads)
    keep_freed_memory()
    # Adam's averages of rarely seen words decay into denormal numbers, which a CPU computes very slowly.
    torch.set_flush_denormal(True)
    # As use_deterministic_algorithms, which loads the compiler to tell it too: kith.training.compiling does.
    torch.set_deterministic_debug_mode("warn")
    # Filling new memory guards against reading it before writing, at a tenth of a small model's time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    cuda = torch.cuda.is_available() if device == "auto" else device == "cuda"
    local = int(os.environ.get("LOCAL_WORLD_SIZE", devices))
    processes = int(os.environ.get("WORLD_SIZE", local))
    started: Any = Fabric(
        accelerator="cuda" if cuda else "cpu",
        devices=local,
        num_nodes=processes // local,
        strategy="ddp" if processes > 1 else "auto",
        precision=_precision(precision, cuda),
    )
    started.launch()
    return started


def _precision(asked: Precision, cuda: bool) -> Any:
    """bf16 where the processor computes in it, else float32."""
    if asked == "auto":
        asked = "bf16" if has_bf16("cuda" if cuda else "cpu") else "32"
    return {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[asked]

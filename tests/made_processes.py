"""Two processes that train together on the CPU."""

import os
import socket
from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
from lightning_fabric import Fabric


def as_two(function: Callable[..., None], *arguments: Any) -> None:
    """Call `function` with the rank, a port and `arguments` in this process, which is the first of two, and in another
    one, to start which takes long: torch is imported anew."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    second = torch.multiprocessing.spawn(_second, (function, port, *arguments), nprocs=1, join=False)
    try:
        with mock.patch.dict(os.environ):
            function(0, port, *arguments)
        second.join()
    finally:
        second.processes[0].kill()
        torch.distributed.destroy_process_group()


def _second(_: int, function: Callable[..., None], port: int, *arguments: Any) -> None:
    function(1, port, *arguments)


def joined(rank: int, port: int) -> Fabric:
    """A launched Fabric of two processes; both name the same port."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "test"}
    torch.set_num_threads(1)
    fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp")
    fabric.launch()
    return fabric

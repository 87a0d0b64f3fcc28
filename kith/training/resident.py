"""Training pictures and features on the GPU, once, where they fit: a step then waits for no copy."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kith.store.inputs import ArrayInput
from kith.training.data import TrainingData

SHARE = 0.25  # of the memory that is free
COPIED = 1 << 26  # bytes that go over at a time


@dataclass(frozen=True)
class ResidentInput(ArrayInput):
    """An `ArrayInput` whose rows are also on a device, `held` (N, …), and are taken from there."""

    held: Tensor | None = None

    def take(self, rows: np.ndarray) -> tuple[Tensor, ...]:
        """What a tower is called with, on the device."""
        assert self.held is not None
        # Without waiting for what is being computed there.
        return (self.held[torch.from_numpy(rows).to(self.held.device, non_blocking=True)],)


def resident(data: TrainingData, device: torch.device, free: int | None = None) -> TrainingData:
    """The data, whose pictures or features are on the device, if it is a GPU and a quarter of what is free there holds
    them. Photographs, which are decoded as they are taken, stay where they are.

    free: bytes; None: asked of the GPU.
    """
    image: Any = data.image
    if type(image) is not ArrayInput or (free is None and device.type != "cuda"):
        return data
    left = torch.cuda.mem_get_info(device)[0] if free is None else free
    if image.array.nbytes > SHARE * left:
        return data
    held = on_device(image.array, device)
    return replace(data, image=ResidentInput(image.array, image.rows, 0, held))


def on_device(array: np.ndarray, device: torch.device) -> Tensor:
    """A copy of an array, maybe memory-mapped, without a second one in main memory."""
    held = torch.empty(array.shape, dtype=torch.from_numpy(np.empty(0, dtype=array.dtype)).dtype, device=device)
    step = max(1, COPIED // max(1, array[:1].nbytes))
    for start in range(0, len(array), step):
        held[start : start + step] = torch.from_numpy(np.array(array[start : start + step]))
    return held

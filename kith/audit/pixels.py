"""Pictures as short vectors, where no encoder has read them: small, of mean 0 and length 1."""

from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

SIDE = 8
BLOCK = 1024


def pixel_vectors(pictures: Any, rows: np.ndarray, side: int = SIDE) -> np.ndarray:
    """(n, side² · C) float32 of the pictures `rows`: light and contrast do not count; zeros for one of one colour.

    pictures: (N, H, W, C) uint8, an array or what is indexed like one; read in blocks.

    >>> picture = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1)
    >>> vectors = pixel_vectors(np.concatenate([picture, picture * 2]), np.array([0, 1]))
    >>> vectors.shape, bool(np.allclose(vectors[0], vectors[1], atol=1e-6))
    ((2, 64), True)
    """
    parts = [np.zeros((0, side * side * pictures.shape[-1]), np.float32)]
    for start in range(0, len(rows), BLOCK):
        block = torch.from_numpy(np.ascontiguousarray(pictures[rows[start : start + BLOCK]]))
        small = interpolate(
            block.permute(0, 3, 1, 2).float(), (side, side), mode="bilinear", antialias=True, align_corners=False
        )
        small = small - small.mean(dim=(2, 3), keepdim=True)
        flat = small.flatten(1)
        length = flat.norm(dim=1, keepdim=True)
        parts.append(torch.where(length > 1e-3, flat / length.clamp(min=1e-9), 0).numpy())
    return np.concatenate(parts)

"""Central similarity: the code of a picture is pulled to the fixed code of its class (Yuan et al., CVPR 2020)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kith.constraints import NonNegative
from kith.losses.batch import LossValue, TrainingStep
from kith.losses.loss import LossOptions
from kith.losses.metric_loss import PairLoss
from kith.losses.rows import of_rows


@of_rows
def csq(outputs: Tensor, labels: Tensor, centers: Tensor, quantization: float = 1e-4) -> Tensor:
    """Mean over rows and bits of the cross-entropy of (tanh z + 1)/2 and the bit of the class's centre, and λ times the
    mean of log cosh(|tanh z| − 1) (Yuan et al., "Central Similarity Quantization", CVPR 2020, eq. 4 and 6).

    outputs: (B, bits) z; labels: (B,) class numbers, or (B, C) sets, whose centre is `centers_of` them; centers:
    (C, bits) of −1 and 1, see `hash_centers`.

    >>> round(float(csq(torch.zeros(1, 2), torch.tensor([0]), torch.ones(1, 2), 0.0)), 4)  # log 2
    0.6931
    """
    # (tanh z + 1)/2 is the logistic function of 2z, whose cross-entropy torch computes without loss.
    wanted = (centers_of(labels, centers).to(outputs.dtype) + 1) / 2
    errors = (outputs.tanh().abs() - 1).cosh().log()
    return F.binary_cross_entropy_with_logits(2 * outputs, wanted) + quantization * errors.mean()


def centers_of(labels: Tensor, centers: Tensor) -> Tensor:
    """(B, bits) of −1 and 1: the centre of each picture's class, or, of several labels, the bits that most of their
    centres have (Yuan et al., CVPR 2020, section 3.2). Where they are even, the bit of one code that is drawn, always
    the same.

    labels: (B,) class numbers, or (B, C) sets of at least one; centers: (C, bits).

    >>> codes = torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]])
    >>> centers_of(torch.tensor([2]), codes).tolist(), centers_of(torch.tensor([[1, 1, 1]]), codes).tolist()
    ([[-1.0, -1.0, 1.0]], [[1.0, -1.0, 1.0]])
    """
    if labels.ndim == 1:
        return centers[labels]
    votes = labels.to(centers.dtype) @ centers
    even = np.random.default_rng(0).choice(np.array([-1.0, 1.0], dtype=np.float32), centers.shape[1])
    return torch.where(votes == 0, torch.from_numpy(even).to(votes), votes.sign())


def hash_centers(classes: int, bits: int) -> np.ndarray:
    """(classes, bits) float32 of −1 and 1: rows of a Hadamard matrix and their opposites, bits/2 apart or more.

    Where bits is no power of two, or for more than 2·bits classes, codes of as many 1 as −1 are drawn, always the
    same ones (Yuan et al., CVPR 2020, algorithm 1). Raises ValueError where so few bits cannot tell the classes apart.

    >>> hash_centers(3, 2).tolist()
    [[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]]
    """
    if bits & (bits - 1) == 0 and classes <= 2 * bits:
        from scipy.linalg import hadamard  # takes a third of a second, which few methods need

        rows = hadamard(bits)
        return np.concatenate([rows, -rows])[:classes].astype(np.float32)
    random, centers = np.random.default_rng(0), np.zeros((0, bits), dtype=np.float32)
    for _ in range(100):  # what is drawn twice is drawn again
        half = np.tile(np.repeat([1.0, -1.0], [bits - bits // 2, bits // 2]), (classes, 1))
        drawn = random.permuted(half, axis=1).astype(np.float32)
        joined = np.concatenate([centers, drawn])
        _, first = np.unique(joined, axis=0, return_index=True)
        centers = joined[np.sort(first)][:classes]
        if len(centers) == classes:
            return centers
    raise ValueError(f"{bits} bits give {len(centers)} balanced codes, too few for {classes} classes; raise train.dim")


@dataclass(frozen=True, kw_only=True)
class CsqOptions(LossOptions):
    """quantization: weight of the distance to signs."""

    quantization: NonNegative = 1e-4


class CsqLoss(PairLoss, name="csq"):
    """Each bit of a picture agrees with the bit of its class's code, which is fixed and far from all others."""

    options: CsqOptions
    centers: Tensor

    def __init__(self, options: Any, dim: int = 0, classes: int = 0):
        super().__init__(options, dim, classes)
        self.register_buffer("centers", torch.from_numpy(hash_centers(classes, dim)), persistent=False)

    def of_rows(self, rows: Tensor, label: Tensor, step: TrainingStep) -> LossValue:
        return csq(rows, label, self.centers, self.options.quantization)

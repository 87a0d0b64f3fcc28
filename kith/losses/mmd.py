"""Maximum mean discrepancy: the pictures and the texts of a batch fill the same part of the space (Gretton et al., JMLR
2012; as Song & Soleymani, CVPR 2019, have it)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kith.constraints import AboveZero
from kith.losses.batch import Batch, TrainingStep
from kith.losses.loss import Loss, LossOptions
from kith.losses.rows import of_rows


@of_rows
def mmd(image: Tensor, text: Tensor, gamma: float = 0.5) -> Tensor:
    """Mean over all pairs of k(x, x′) − 2k(x, y) + k(y, y′), k(a, b) = exp(−γ|a − b|) (Song & Soleymani, CVPR 2019,
    in whose program the distance is not squared, and γ is ½).

    image, text: (n, d).

    >>> rows = torch.eye(2)
    >>> float(mmd(rows, rows)), round(float(mmd(rows[:1], rows[1:])), 4)  # 2 − 2·exp(−√2/2)
    (0.0, 1.0139)
    """
    kernels = [_kernel(image, image, gamma), _kernel(image, text, gamma), _kernel(text, text, gamma)]
    return kernels[0] - 2 * kernels[1] + kernels[2]


def _kernel(first: Tensor, second: Tensor, gamma: float) -> Tensor:
    # By differences, for the gradient of a distance of 0 is then 0.
    distances = torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")
    return (-gamma * distances).exp().mean()


@dataclass(frozen=True, kw_only=True)
class MmdOptions(LossOptions):
    """gamma: how fast the kernel falls with the distance."""

    gamma: AboveZero = 0.5


class MmdLoss(Loss, name="mmd"):
    """Pictures and texts of a batch, whatever belongs together, fill the same part of the space."""

    options: MmdOptions
    of_several = True

    def forward(self, batch: Batch, step: TrainingStep) -> Tensor:
        image, text = (side.reshape(-1, side.shape[-1]) for side in (batch.image, batch.text))
        return mmd(image, text, self.options.gamma)

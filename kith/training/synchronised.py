"""Batch norm over the batches of all processes, as if one had seen them all.

torch.nn.SyncBatchNorm does this on GPUs alone. Here every device does the same: means and variances are gathered, with
their gradients, by what gathers embeddings, so that what the tests show of two CPUs is what runs on GPUs.
"""

from typing import Any

import torch
from torch import Tensor, nn

from kith.training.task import gather

# The means of processes differ, so a variance is not the mean of variances: Chan, Golub & LeVeque, 1979.


class SynchronisedNorm(nn.modules.batchnorm._BatchNorm):
    """A batch norm of 1 or 2 dimensions, (B, C) or (B, C, H, W), whose statistics while it is trained are those of all
    processes: each gives its rows, and gets its rows. In evaluation, and alone, it is the one that it stands for."""

    def forward(self, given: Tensor) -> Tensor:
        if not self.training:
            return super().forward(given)
        over = [dim for dim in range(given.ndim) if dim != 1]
        rows = given.float()
        variance, mean = torch.var_mean(rows, over, correction=0)
        count = torch.full_like(mean[:1], given.numel() / given.shape[1])
        mean, variance, total = pooled(gather(torch.cat([mean, variance, count])[None]))
        self._remember(mean.detach(), variance.detach() * total / (total - 1))
        shape = [1, -1] + [1] * (given.ndim - 2)
        scale = torch.rsqrt(variance + self.eps)
        if self.affine:
            scale = scale * self.weight.float()
        normed = (rows - mean.view(shape)) * scale.view(shape)
        return (normed + self.bias.float().view(shape) if self.affine else normed).to(given.dtype)

    def _check_input_dim(self, given: Tensor) -> None:
        pass

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """As torch: a running mean, or with a momentum of None the mean of all batches."""
        if not self.track_running_stats:
            return
        held: Any = self  # buffers are optional to torch's types
        held.num_batches_tracked += 1
        share = 1 / float(held.num_batches_tracked) if self.momentum is None else self.momentum
        held.running_mean.lerp_(mean.to(held.running_mean.dtype), share)
        held.running_var.lerp_(variance.to(held.running_var.dtype), share)


def pooled(parts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (C,), variance (C,) and number of rows, of parts (P, 2C + 1): of each its means, variances and number.

    >>> mean, variance, count = pooled(torch.tensor([[1.0, 0.0, 1.0], [4.0, 1.0, 2.0]]))  # of 1, and of 3 and 5
    >>> mean, count, torch.allclose(variance, torch.tensor([1.0, 3.0, 5.0]).var(correction=0))
    (tensor([3.]), tensor(3.), True)
    """
    means, variances = parts[:, :-1].chunk(2, dim=1)
    weights = parts[:, -1:] / parts[:, -1].sum()
    mean = (weights * means).sum(0)
    return mean, (weights * (variances + (means - mean).square())).sum(0), parts[:, -1].sum().detach()


def synchronise(module: nn.Module) -> int:
    """Put a SynchronisedNorm in the place of each batch norm within `module`, with the same parameters and statistics
    under the same names; returns how many there were.

    >>> synchronise(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)))
    1
    """
    found = 0
    for name, child in list(module.named_children()):
        if type(child) in (nn.BatchNorm1d, nn.BatchNorm2d):
            setattr(module, name, _standing_for(child))
            found += 1
        else:
            found += synchronise(child)
    return found


def _standing_for(norm: Any) -> SynchronisedNorm:
    options = {"affine": norm.affine, "track_running_stats": norm.track_running_stats}
    made = SynchronisedNorm(norm.num_features, norm.eps, norm.momentum, **options)
    made._parameters, made._buffers = norm._parameters, norm._buffers
    return made.train(norm.training)

"""Layers that start, and count, as in Keras, with which the published networks for small pictures were trained.

Kernels are Glorot-uniform, biases 0; batch norm has ε 1e-3 and keeps 99 % of its running statistics a step.
"""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

BLOCK = 16  # channels that oneDNN computes at a time


def convolution(
    before: int,
    after: int,
    kernel: int = 3,
    stride: int = 1,
    start: Callable[[Tensor], Tensor] = nn.init.xavier_uniform_,
) -> nn.Conv2d:
    """A 2-D convolution with a bias, padded so that stride 1 keeps the size.

    >>> import torch
    >>> tuple(convolution(3, 8, stride=2)(torch.zeros(1, 3, 6, 6)).shape)
    (1, 8, 3, 3)
    """
    layer = nn.Conv2d(before, after, kernel, stride, kernel // 2)
    start(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


class Pointwise(nn.Conv2d):
    """A 1 × 1 convolution without a bias, of every `stride`-th pixel.

    The pixels are taken first where there are few channels: on CPUs oneDNN's gradient of the kernel writes beyond its
    memory with a stride and fewer channels than a block holds, 16 (uxlfoundation/oneDNN, issue 6035).

    >>> import torch
    >>> tuple(Pointwise(8, 16, stride=2)(torch.zeros(1, 8, 6, 6)).shape)
    (1, 16, 3, 3)
    """

    def __init__(self, before: int, after: int, stride: int):
        super().__init__(before, after, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        step = self.stride[0]
        if step == 1 or self.in_channels >= BLOCK:
            return super().forward(x)
        return F.conv2d(x[:, :, ::step, ::step], self.weight)


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm of maps (B, channels, H, W)."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def rectifier(selu: bool) -> nn.Module:
    """ReLU, or SELU (Klambauer et al., NIPS 2017) for networks whose name ends so.

    >>> rectifier(selu=True)
    SELU(inplace=True)
    """
    return nn.SELU(inplace=True) if selu else nn.ReLU(inplace=True)


def dense(before: int, after: int) -> nn.Linear:
    """A fully connected layer, (B, before) to (B, after)."""
    layer = nn.Linear(before, after)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def padded_shortcut(x: Tensor, channels: int, stride: int, *, centred: bool) -> Tensor:
    """A shortcut without parameters: averages over stride × stride pixels, and channels of zeros, behind the
    others or, `centred`, on both sides.

    >>> import torch
    >>> tuple(padded_shortcut(torch.zeros(1, 2, 4, 4), channels=4, stride=2, centred=True).shape)
    (1, 4, 2, 2)
    """
    if stride > 1:
        x = F.avg_pool2d(x, stride, ceil_mode=True)
    more = channels - x.shape[1]
    front = more // 2 if centred else 0
    return F.pad(x, (0, 0, 0, 0, front, more - front)) if more else x

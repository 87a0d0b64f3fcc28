"""DenseNets for pictures of about 32×32 (Huang et al., "Densely Connected Convolutional Networks", CVPR 2017)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kith.networks.layers import dense


class Layer(nn.Module):
    """`growth` new channels behind the old ones; the bottleneck is a 1×1 convolution into 4·growth channels."""

    def __init__(self, before: int, growth: int, *, bottleneck: bool):
        super().__init__()
        inner = 4 * growth if bottleneck else before
        narrow = _normalised(before, inner, 1) if bottleneck else []
        self.new = nn.Sequential(*narrow, *_normalised(inner, growth, 3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.new(x)], dim=1)


class DenseNet(nn.Module):
    """Three blocks of equally many layers, average pooling between them; global pooling.

    `compact` is DenseNet-BC: bottlenecks, half of the channels kept between blocks, 2·growth channels at first in
    place of 16. depth counts all convolutions and the classifier: 3n + 4, or 6n + 4 where compact; ValueError else.
    """

    def __init__(self, channels: int, depth: int, growth: int, *, compact: bool):
        super().__init__()
        layers = 6 if compact else 3
        count, odd = divmod(depth - 4, layers)
        if odd or count < 1:
            raise ValueError(f"a DenseNet of this kind has {layers}n + 4 layers; not {depth}")
        width = 2 * growth if compact else 16
        stages: list[nn.Module] = [_convolution(channels, width, 3)]
        for block in range(3):
            if block:
                kept = width // 2 if compact else width
                stages += [*_normalised(width, kept, 1), nn.AvgPool2d(2)]
                width = kept
            for _ in range(count):
                stages.append(Layer(width, growth, bottleneck=compact))
                width += growth
        self.layers = nn.Sequential(*stages)
        self.norm = nn.BatchNorm2d(width)
        self.out_features = width

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.layers(x)), inplace=True).mean(dim=(2, 3))

    def head(self, dim: int) -> nn.Module:
        """The last layer, into the common space."""
        return dense(self.out_features, dim)


def _convolution(before: int, after: int, kernel: int) -> nn.Module:
    layer = nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return layer


def _normalised(before: int, after: int, kernel: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(before), nn.ReLU(inplace=True), _convolution(before, after, kernel)]

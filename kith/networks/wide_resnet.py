"""Wide residual networks (Zagoruyko & Komodakis, BMVC 2016), as trained by Barz & Denzler (WACV 2019)."""

from torch import Tensor, nn

from kith.networks.layers import dense


class WideBlock(nn.Module):
    """Batch norm, ReLU and a 3×3 convolution, twice. The first block of a stage takes what is normalised already and
    has a 1×1 convolution as its shortcut."""

    def __init__(self, before: int, after: int, stride: int, *, first: bool):
        super().__init__()
        enter = [] if first else _normalised(before)
        middle = [_convolution(before, after, 3, stride), *_normalised(after), _convolution(after, after)]
        self.residual = nn.Sequential(*enter, *middle)
        self.shortcut = _convolution(before, after, 1, stride) if first else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.residual(x) + self.shortcut(x)


class WideResNet(nn.Module):
    """depth = 6n + 4 layers: three stages of n blocks with 16, 32 and 64 channels, times `factor`; global pooling.

    Starts He-normal, with scales of batch norm in ±0.05, and no L2 on any layer, as published. Running statistics
    move by 0.9 a step, which is the published 0.1 in Keras' counting. Raises ValueError for another depth.
    """

    def __init__(self, channels: int, depth: int = 28, factor: int = 10):
        super().__init__()
        count, odd = divmod(depth - 4, 6)
        if odd or count < 1:
            raise ValueError(f"a wide ResNet has 6n + 4 layers, as 16, 28 or 40; not {depth}")
        layers = [_convolution(channels, 16), *_normalised(16)]
        before = 16
        for stage in range(3):
            after = 16 * factor * 2**stage
            for i in range(count):
                layers.append(WideBlock(before, after, 2 if stage and i == 0 else 1, first=i == 0))
                before = after
            layers += _normalised(after)
        self.layers = nn.Sequential(*layers)
        self.out_features = before

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).mean(dim=(2, 3))

    def head(self, dim: int) -> nn.Module:
        """The last layer, into the common space."""
        return dense(self.out_features, dim)


def _convolution(before: int, after: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    layer = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return layer


def _normalised(channels: int) -> list[nn.Module]:
    norm = nn.BatchNorm2d(channels, eps=1e-5, momentum=0.9)
    nn.init.uniform_(norm.weight, -0.05, 0.05)
    return [norm, nn.ReLU(inplace=True)]

"""A plain convolutional tower for small pictures."""

import itertools
import math

from torch import Tensor, nn


class CNN(nn.Sequential):
    """Plain convolutional tower for small pictures; a position-aware 4×4 grid is kept for the last layer.

    One block a halving of the side until 4 pixels remain (3 blocks at 32×32): convolution, batch norm, ReLU,
    with strides in place of pooling, which is twice as fast on a CPU. Channels double from `width`, up to
    8·width.
    """

    def __init__(self, channels: int, size: int, width: int = 32):
        blocks = max(1, round(math.log2(size / 4)))
        widths = [min(width * 2**i, width * 8) for i in range(blocks)]
        # At full resolution one wide kernel with a stride costs a quarter of a block.
        layers = _conv(channels, widths[0], kernel=5, stride=2)
        for before, after in itertools.pairwise(widths):
            layers += _conv(before, after) + _conv(after, after, stride=2)
        grid = nn.Identity() if size == 4 * 2**blocks else nn.AdaptiveAvgPool2d(4)
        super().__init__(*layers, grid, nn.Flatten())
        self.out_features, self.part_features = widths[-1] * 16, widths[-1]

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, None]:
        """What `forward` gives, and the places of its grid, (B, 16, part_features)."""
        whole = self(x)
        return whole, whole.unflatten(1, (self.part_features, -1)).transpose(1, 2), None


def _conv(before: int, after: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]

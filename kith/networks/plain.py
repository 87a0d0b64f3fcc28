"""Plain-11, a network without shortcuts for small pictures (Barz & Denzler, WACV 2019)."""

from torch import nn

from kith.networks.layers import batch_norm, convolution, dense, rectifier


class Plain(nn.Sequential):
    """(B, channels, H, W), 8 pixels or more a side, to (B, 512): nine 3×3 convolutions of 64 to 512 channels, with
    averages of 2×2 between the widths, global pooling and a dense layer; batch norm comes after each ReLU.

    selu: with SELU in the place of ReLU. The paper's L2 of 5e-4 (a weight decay of 1e-3) is on all kernels but the
    head's."""

    WIDTHS = (64, 64, None, 128, 128, 128, None, 256, 256, 256, None, 512)  # None: halve the side

    def __init__(self, channels: int, *, selu: bool = False):
        layers: list[nn.Module] = []
        for width in self.WIDTHS:
            if width is None:
                layers.append(nn.AvgPool2d(2))
                continue
            layers += [convolution(channels, width), rectifier(selu), batch_norm(width)]
            channels = width
        top = [dense(512, 512), rectifier(selu), nn.BatchNorm1d(512, 1e-3, 0.01)]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), *top)
        self.out_features = 512

    def head(self, dim: int) -> nn.Module:
        """The last layer, into the common space."""
        return dense(self.out_features, dim)

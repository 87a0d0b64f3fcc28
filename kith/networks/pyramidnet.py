"""PyramidNets: residual networks whose every block is a little wider (Han et al., CVPR 2017)."""

import functools

from torch import Tensor, nn

from kith.networks.layers import batch_norm, convolution, dense, padded_shortcut, rectifier

_kernel = functools.partial(convolution, start=nn.init.xavier_normal_)


class PyramidBlock(nn.Module):
    """Batch norm before and after each convolution, ReLU between them: 3×3 and 3×3, or the bottleneck's 1×1, 3×3
    and 1×1 into 4·width channels. The shortcut has no parameters."""

    def __init__(self, before: int, width: int, stride: int, *, bottleneck: bool, selu: bool = False):
        super().__init__()
        self.after, self.stride = width * (4 if bottleneck else 1), stride
        if bottleneck:
            kernels = [_kernel(before, width, 1), _kernel(width, width, 3, stride), _kernel(width, self.after, 1)]
        else:
            kernels = [_kernel(before, width, 3, stride), _kernel(width, width)]
        layers: list[nn.Module] = [batch_norm(before)]
        for kernel in kernels:
            layers += [kernel, batch_norm(kernel.out_channels), rectifier(selu)]
        self.residual = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return self.residual(x) + padded_shortcut(x, self.after, self.stride, centred=False)


class PyramidNet(nn.Module):
    """Three stages of equally many blocks; block i of k has 16 + widening·i/k channels, rounded; global pooling.

    PyramidNet-272-200 has bottlenecks (9 layers in three of them), PyramidNet-110-270 basic blocks (6 layers), as in
    Barz & Denzler (WACV 2019). Their L2 of 2e-4 (a weight decay of 4e-4) is on all kernels, the head's too.
    selu: with SELU in the place of ReLU. Raises ValueError for a depth that is not 9n + 2, or 6n + 2 with basic blocks.
    """

    def __init__(self, channels: int, depth: int, widening: int, *, bottleneck: bool, selu: bool = False):
        super().__init__()
        layers = 9 if bottleneck else 6
        count, odd = divmod(depth - 2, layers)
        if odd or count < 1:
            raise ValueError(f"a PyramidNet of these blocks has {layers}n + 2 layers; not {depth}")
        self.stem = nn.Sequential(_kernel(channels, 16), batch_norm(16))
        kind = {"bottleneck": bottleneck, "selu": selu}
        blocks = []
        before = 16
        for i in range(3 * count):
            width = round(16 + widening * (i + 1) / (3 * count))
            blocks.append(PyramidBlock(before, width, 2 if i in (count, 2 * count) else 1, **kind))
            before = blocks[-1].after
        self.blocks = nn.Sequential(*blocks)
        self.norm, self.activation = batch_norm(before), rectifier(selu)
        self.out_features = before

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.blocks(self.stem(x)))).mean(dim=(2, 3))

    def head(self, dim: int) -> nn.Module:
        """The last layer, into the common space."""
        return dense(self.out_features, dim)

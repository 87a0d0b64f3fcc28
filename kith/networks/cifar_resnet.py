"""ResNets for pictures of about 32×32 (He et al., CVPR 2016, section 4.2)."""

from torch import Tensor, nn

from kith.networks.layers import batch_norm, convolution, dense, padded_shortcut, rectifier


class CifarBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut without parameters."""

    def __init__(self, before: int, after: int, stride: int, *, selu: bool = False):
        super().__init__()
        self.activation = rectifier(selu)
        self.conv1, self.bn1 = convolution(before, after, stride=stride), batch_norm(after)
        self.conv2, self.bn2 = convolution(after, after), batch_norm(after)
        self.after, self.stride = after, stride

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.activation(self.bn1(self.conv1(x)))))
        return self.activation(y + padded_shortcut(x, self.after, self.stride, centred=True))


class CifarResNet(nn.Module):
    """depth = 6n + 2 layers: three stages of n blocks with width, 2·width and 4·width channels, global pooling.

    With `fixed` the 4·width pooled features are what the model gives, as in the plain ResNet-32 and ResNet-110 of
    Barz & Denzler (WACV 2019): `fixed_features` says how many, and the head has no layer. Their L2 of 2e-4 (a weight
    decay of 4e-4) is on all kernels, the head's too. selu: with SELU in the place of ReLU. Raises ValueError for
    another depth.
    """

    def __init__(self, channels: int, depth: int, width: int = 16, *, fixed: bool = False, selu: bool = False):
        super().__init__()
        count, odd = divmod(depth - 2, 6)
        if odd or count < 1:
            raise ValueError(f"a ResNet for small pictures has 6n + 2 layers, as 20, 32 or 110; not {depth}")
        self.stem = nn.Sequential(convolution(channels, width), batch_norm(width), rectifier(selu))
        blocks = []
        before = width
        for i in range(3 * count):
            after = width * 2 ** (i // count)
            blocks.append(CifarBlock(before, after, 1 if after == before else 2, selu=selu))
            before = after
        self.blocks = nn.Sequential(*blocks)
        self.out_features = before
        self.fixed_features = before if fixed else None

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.stem(x)).mean(dim=(2, 3))

    def head(self, dim: int) -> nn.Module:
        """The last layer, into the common space. Raises ValueError if the features are fixed and not `dim`."""
        if self.fixed_features is None:
            return dense(self.out_features, dim)
        if dim != self.fixed_features:
            raise ValueError(
                f"this ResNet gives its {self.fixed_features} pooled features and has no layer into {dim} dimensions: "
                f"choose the -fc or -wfc variant of the tower, or targets of {self.fixed_features} dimensions"
            )
        return nn.Identity()

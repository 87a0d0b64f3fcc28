"""ResNets for photographs (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016)."""

from typing import Any, ClassVar

from torch import Tensor, nn

from kith.networks.layers import Pointwise


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut; `width` channels out."""

    expansion = 1

    def __init__(self, before: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = _shortcut(before, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """Convolutions 1×1, 3×3 and 1×1, and a shortcut; 4·width channels out."""

    expansion = 4

    def __init__(self, before: int, width: int, stride: int):
        super().__init__()
        after = width * self.expansion
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = _shortcut(before, after, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(y)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


def _shortcut(before: int, after: int, stride: int) -> nn.Module | None:
    if stride == 1 and before == after:
        return None
    return nn.Sequential(Pointwise(before, after, stride), nn.BatchNorm2d(after))


class ResNet(nn.Module):
    """All up to global pooling; parameter names are those of torchvision's models, and so is the stride of a
    bottleneck's 3×3 convolution.

    depth 10, 18 and 34 use basic blocks, 50, 101, 152 and 200 bottlenecks; width is the channels of the first stage
    (64 in the paper). Pictures under 64 pixels get a 3×3 stem without pooling. Raises ValueError for another depth.
    """

    BLOCKS: ClassVar = {
        10: (BasicBlock, (1, 1, 1, 1)),
        18: (BasicBlock, (2, 2, 2, 2)),
        34: (BasicBlock, (3, 4, 6, 3)),
        50: (Bottleneck, (3, 4, 6, 3)),
        101: (Bottleneck, (3, 4, 23, 3)),
        152: (Bottleneck, (3, 8, 36, 3)),
        200: (Bottleneck, (3, 24, 36, 3)),
    }

    def __init__(self, channels: int, size: int, depth: int = 18, width: int = 64):
        super().__init__()
        if depth not in self.BLOCKS:
            raise ValueError(f"there is no ResNet of depth {depth}; choose {', '.join(map(str, self.BLOCKS))}")
        block: Any
        block, counts = self.BLOCKS[depth]
        small = size < 64
        self.conv1 = nn.Conv2d(channels, width, 3 if small else 7, 1 if small else 2, 1 if small else 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        stages = []
        before = width
        for stage, count in enumerate(counts):
            blocks = []
            for i in range(count):
                blocks.append(block(before, width * 2**stage, 2 if stage and i == 0 else 1))
                before = width * 2**stage * block.expansion
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.out_features = before
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        return self._maps(x).mean(dim=(2, 3))

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, None]:
        """What `forward` gives, and the places of the last maps, (B, H·W, out_features)."""
        maps = self._maps(x)
        return maps.mean(dim=(2, 3)), maps.flatten(2).transpose(1, 2), None

    @property
    def part_features(self) -> int:
        return self.out_features

    def _maps(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return x

    def load_torchvision(self, state: dict[str, Tensor]) -> None:
        """Take the weights of a torchvision ResNet of the same depth; its classifier `fc` is left out.

        Raises ValueError that names the parameters which are missing or of another shape.
        """
        own = self.state_dict()
        unfit = [k for k, v in own.items() if k not in state or state[k].shape != v.shape]
        unfit = [k for k in unfit if not k.endswith("num_batches_tracked")]
        if unfit:
            raise ValueError(f"weights do not fit this ResNet (depth, width 64 and RGB are needed): {unfit[:5]}")
        self.load_state_dict({k: state.get(k, v) for k, v in own.items()})

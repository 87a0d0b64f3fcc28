"""Towers for features and small maps, as in "End-to-End Cross-Modality Retrieval with CCA Projections and Pairwise
Ranking Loss" (Dorfer et al., IJMIR 2018): batch norm and ELU after each layer, uniform weights ±√(3 / inputs)."""

import itertools
import math
from typing import TypeVar

import torch
from torch import Tensor, nn

from kith.text.tokenizer import Tokenizer

EPSILON = 1e-4  # of batch norm

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)


class MLP(nn.Sequential):
    """Vectors (B, inputs), or maps, flattened, through `layers` hidden layers; none leaves them as they are.

    >>> tuple(MLP(3, hidden=8)(torch.zeros(2, 3)).shape)
    (2, 8)
    """

    def __init__(self, inputs: int, hidden: int = 1024, layers: int = 2):
        widths = [inputs] + [hidden] * layers
        blocks = [
            (_uniform(nn.Linear(before, after, bias=False)), nn.BatchNorm1d(after, EPSILON), nn.ELU(inplace=True))
            for before, after in itertools.pairwise(widths)
        ]
        super().__init__(nn.Flatten(), *itertools.chain.from_iterable(blocks))
        self.out_features = widths[-1]

    def head(self, dim: int) -> nn.Module:
        """The last layer, into the common space."""
        return _uniform(nn.Linear(self.out_features, dim))


class Residual(nn.Module):
    """Features (B, inputs) of a pretrained encoder: its head is a linear layer plus `layers` hidden layers beside it,
    so that what the encoder knows goes through, and what is missing is added.

    dropout: of the features and of the hidden units.

    >>> tower = Residual(4, hidden=8)
    >>> tuple(tower.head(2)(tower(torch.zeros(3, 4))).shape)
    (3, 2)
    """

    def __init__(self, inputs: int, hidden: int = 1024, layers: int = 1, dropout: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.hidden, self.layers, self.out_features = hidden, layers, inputs

    def forward(self, features: Tensor) -> Tensor:
        return self.dropout(features.flatten(1))

    def head(self, dim: int) -> nn.Module:
        """The last layers, into the common space."""
        return ResidualHead(self.out_features, self.hidden, self.layers, dim, self.dropout.p)


class ResidualHead(nn.Module):
    """A linear layer, and hidden layers whose output is added."""

    def __init__(self, inputs: int, hidden: int, layers: int, dim: int, dropout: float):
        super().__init__()
        self.linear = nn.Linear(inputs, dim)
        widths = [inputs] + [hidden] * layers
        blocks = [
            (nn.Linear(before, after), nn.GELU(), nn.Dropout(dropout)) for before, after in itertools.pairwise(widths)
        ]
        self.beside = nn.Sequential(*itertools.chain.from_iterable(blocks), nn.Linear(widths[-1], dim))

    def forward(self, features: Tensor) -> Tensor:
        return self.linear(features) + self.beside(features)


class Linear(nn.Module):
    """Features (B, …) as they are, flattened; its head is one linear layer.

    dropout: of the features.

    >>> tuple(Linear(6, dropout=0.4)(torch.zeros(2, 2, 3)).shape)
    (2, 6)
    """

    def __init__(self, inputs: int, dropout: float = 0.0):
        super().__init__()
        self.dropout, self.out_features = nn.Dropout(dropout), inputs

    def forward(self, features: Tensor) -> Tensor:
        return self.dropout(features.flatten(1))

    def head(self, dim: int) -> nn.Module:
        """The last layer, into the common space."""
        return _uniform(nn.Linear(self.out_features, dim))


class VGG(nn.Sequential):
    """Maps (B, C, H, W) of any size: four pairs of 3×3 convolutions, each pair followed by max-pooling; its head
    is a 1×1 convolution and the mean over the map. Channels are width, 2·width, 4·width, 4·width.

    With width 24 and dim 32 it is the audio and the sheet-music tower of the paper.

    >>> tuple(VGG(1, width=2)(torch.zeros(2, 1, 32, 16)).shape)
    (2, 8, 2, 1)
    """

    def __init__(self, channels: int, width: int = 24):
        widths = [channels, *(width * factor for factor in (1, 1, 2, 2, 4, 4, 4, 4))]
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(itertools.pairwise(widths)):
            layers += [_uniform(nn.Conv2d(before, after, 3, padding=1, bias=False))]
            layers += [nn.BatchNorm2d(after, EPSILON), nn.ELU(inplace=True)]
            layers += [nn.MaxPool2d(2)] if i % 2 else []
        super().__init__(*layers)
        self.out_features = self.part_features = widths[-1]

    def parts(self, maps: Tensor) -> tuple[Tensor, Tensor, None]:
        """The mean of the last maps, (B, out_features), and their places, (B, H·W, out_features)."""
        maps = self(maps)
        return maps.mean(dim=(2, 3)), maps.flatten(2).transpose(1, 2), None

    def head(self, dim: int) -> nn.Module:
        """The last layer, into the common space."""
        convolution = _uniform(nn.Conv2d(self.out_features, dim, 1, bias=False))
        return nn.Sequential(convolution, nn.BatchNorm2d(dim, EPSILON), nn.AdaptiveAvgPool2d(1), nn.Flatten())


class TfidfTower(nn.Module):
    """Texts as weighted bags of words, (B, words) rows of length 1, through an MLP.

    `inverse_frequency`: (words,), 0 for marks; all ones until it is set from the training texts.
    """

    inverse_frequency: Tensor

    def __init__(self, words: int, hidden: int = 1024, layers: int = 2):
        super().__init__()
        self.mlp = MLP(words, hidden, layers)
        self.out_features, self.head = self.mlp.out_features, self.mlp.head
        weight = torch.ones(words)
        weight[: len(Tokenizer.MARKS)] = 0
        self.register_buffer("inverse_frequency", weight)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        # shape[0], which stays free where the model is exported; len would fix it.
        counts = torch.zeros(tokens.shape[0], len(self.inverse_frequency), device=tokens.device)
        counts.scatter_add_(1, tokens, torch.ones_like(tokens, dtype=counts.dtype))
        return self.mlp(nn.functional.normalize(counts * self.inverse_frequency))


FeatureTower = MLP | Residual | Linear | VGG


def feature_tower(
    tower: str, shape: tuple[int, ...], hidden: int, layers: int, width: int, dropout: float = 0.0
) -> FeatureTower:
    """The tower named in a method's parameters, for features of this shape. Raises ValueError if they do not fit.

    >>> feature_tower("mlp", (2, 3), hidden=8, layers=1, width=1).out_features
    8
    """
    if tower == "vgg":
        if len(shape) != 3 or min(shape[1:]) < 16:
            raise ValueError(f"the vgg tower needs maps of at least 16×16, these features have the shape {shape}")
        return VGG(shape[0], width)
    inputs = math.prod(shape)
    if tower == "linear":
        return Linear(inputs, dropout)
    if tower == "residual":
        return Residual(inputs, hidden, layers, dropout)
    if tower != "mlp":
        raise ValueError(f"the {tower} tower does not take features; choose linear, residual, mlp or vgg")
    if dropout:
        raise ValueError("dropout of features is for the towers linear and residual; leave it out")
    return MLP(inputs, hidden, layers)


@torch.no_grad()
def _uniform(layer: Layer) -> Layer:
    bound = math.sqrt(3 / layer.weight[0].numel())
    nn.init.uniform_(layer.weight, -bound, bound)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer

"""A temperature, learned or fixed, by which the cosines of a batch are divided."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kith.constraints import AboveZero
from kith.losses.loss import Loss, LossOptions


@dataclass(frozen=True, kw_only=True)
class TemperatureOptions(LossOptions):
    """temperature: what cosines are divided by, at the start if it is learned."""

    temperature: AboveZero = 0.07
    learn_temperature: bool = True


class ScaledLoss(Loss):
    """Its parameter is the logarithm of the scale, which is 1 / temperature."""

    options: TemperatureOptions

    def __init__(self, options: Any, dim: int = 0, classes: int = 0):
        super().__init__(options, dim, classes)
        start = torch.tensor(-math.log(options.temperature))
        self.log_scale = nn.Parameter(start, requires_grad=options.learn_temperature)

    @property
    def scale(self) -> Tensor:
        # CLIP bounds the scale at 100, so that the logits cannot run away.
        return self.log_scale.clamp(max=math.log(100)).exp()

"""Signs that can be trained through, for binary codes."""

import torch
from torch import Tensor


def straight_through_sign(values: Tensor) -> Tensor:
    """Signs ±1 (0 becomes +1) of a tensor of any shape; the gradient passes as it is where |values| ≤ 1, else it is 0.

    Bengio et al., "Estimating or propagating gradients through stochastic neurons", 2013; the bound: Courbariaux et
    al., "Binarized neural networks", NeurIPS 2016.

    >>> values = torch.tensor([-2.0, 0.0, 0.5], requires_grad=True)
    >>> signs = straight_through_sign(values)
    >>> signs.sum().backward()
    >>> signs.tolist(), values.grad.tolist()
    ([-1.0, 1.0, 1.0], [0.0, 1.0, 1.0])
    """
    hard = torch.where(values >= 0, 1.0, -1.0).to(values.dtype)
    soft = values.clamp(-1, 1)
    return hard.detach() + soft - soft.detach()


def tanh_relaxation(values: Tensor, sharpness: float = 1.0) -> Tensor:
    """tanh(sharpness · values): towards the sign as `sharpness` is raised in training (Cao et al., "HashNet", ICCV
    2017).

    >>> tanh_relaxation(torch.tensor([0.0, 1.0]), sharpness=100).tolist()
    [0.0, 1.0]
    """
    return torch.tanh(sharpness * values)

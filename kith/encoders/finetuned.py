"""What a model notes of an encoder that it goes on training: its origin, and how its network is built again."""

from typing import Any

import torch
from torch import Tensor

from kith.encoders.encoder import Encoder, PictureEncoder
from kith.encoders.frozen import reference
from kith.errors import KithError


def described(encoder: Encoder) -> dict[str, Any]:
    """In plain values: its `reference`, the width of its vectors, what its network is rebuilt from, and the names of
    the parameters that these vectors do not depend on, such as a classifier, which the model leaves out.

    Raises KithError for an encoder that takes no pictures of the size that it is asked for.
    """
    built = {"width": encoder.width, "rebuild": dict(encoder.rebuild), "unused": _unused(encoder)}
    return reference(encoder) | built


def _unused(encoder: Encoder) -> list[str]:
    """Several processes could not agree on parameters without gradients, and some have only just been drawn."""
    names, parameters = zip(*encoder.network.named_parameters(), strict=True)
    try:
        total = encoder.network(*_example(encoder)).sum()
    except (AssertionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise KithError(
            f"the encoder {encoder.origin.name} does not take such inputs ({reason}); leave finetune.size out"
        ) from None
    gradients = torch.autograd.grad(total, parameters, allow_unused=True)
    return [name for name, gradient in zip(names, gradients, strict=True) if gradient is None]


def _example(encoder: Encoder) -> tuple[Tensor, ...]:
    if isinstance(encoder, PictureEncoder):
        size = encoder.preprocessing.size
        return (torch.zeros(1, 3, size, size),)
    return torch.zeros(1, 2, dtype=torch.int64), torch.tensor([2])

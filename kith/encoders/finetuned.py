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


def prove_size(encoder: Encoder, where: str) -> None:
    """Raise KithError where the encoder does not take inputs as it is asked to; where: what to leave out then.

    >>> from kith.encoders.registry import load
    >>> prove_size(load("lite0", "image"), "finetune.size")  # doctest: +SKIP
    """
    with torch.no_grad():
        _tried(encoder, where)


def _tried(encoder: Encoder, where: str) -> Tensor:
    try:
        return encoder.network(*_example(encoder))
    except (AssertionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise KithError(
            f"the encoder {encoder.origin.name} does not take such inputs ({reason}); leave {where} out"
        ) from None


def _unused(encoder: Encoder) -> list[str]:
    """Several processes could not agree on parameters without gradients, and some have only just been drawn."""
    names, parameters = zip(*encoder.network.named_parameters(), strict=True)
    total = _tried(encoder, "finetune.size").sum()
    gradients = torch.autograd.grad(total, parameters, allow_unused=True)
    return [name for name, gradient in zip(names, gradients, strict=True) if gradient is None]


def _example(encoder: Encoder) -> tuple[Tensor, ...]:
    if isinstance(encoder, PictureEncoder):
        size = encoder.preprocessing.size
        return (torch.zeros(1, 3, size, size),)
    return torch.zeros(1, 2, dtype=torch.int64), torch.tensor([2])

"""How a frozen encoder is used, where it is not as it comes: how far it reads a text, and how exactly it computes."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from kith.encoders.encoder import PictureEncoder, TextEncoder
from kith.encoders.frozen import Frozen, referred
from kith.encoders.names import Side
from kith.encoders.registry import load
from kith.errors import KithError
from kith.networks.bf16 import has_bf16

Reduced = Literal["auto", "bf16"]


def computing(precision: Reduced | None, device: torch.device | str = "cpu") -> AbstractContextManager[object]:
    """What to compute in: None: float32; "bf16": matrix products and convolutions in bfloat16, with 8 bits of mantissa
    in place of 24; "auto": so where the processor has instructions for it.

    >>> with computing("bf16"):
    ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
    torch.bfloat16
    """
    kind = torch.device(device).type
    if precision is None or (precision == "auto" and not has_bf16(kind)):
        return nullcontext()
    return torch.autocast(kind, torch.bfloat16)


def reading(encoder: TextEncoder, max_tokens: int | None) -> TextEncoder:
    """The encoder, which reads so many tokens of a text; None: as many as it can.

    Raises KithError for more than that.
    """
    if max_tokens is not None and max_tokens > encoder.max_tokens:
        raise KithError(f"{encoder.origin.name} reads {encoder.max_tokens} tokens at most, not {max_tokens}")
    return encoder if max_tokens is None else replace(encoder, max_tokens=max_tokens)


@dataclass(frozen=True)
class EncoderUse:
    """One way of encoding: an encoder by its name, and what of it is not as it comes, as in `study.encoders`.

    >>> EncoderUse("lite0", size=128).opened("image").encoder.preprocessing.size  # doctest: +SKIP
    128
    """

    encoder: str
    size: int | None = None
    crop: float | None = None
    max_tokens: int | None = None
    precision: Reduced | None = None

    def opened(self, side: Side, device: torch.device | str = "cpu") -> Frozen:
        """One side of it. Raises KithError where it cannot be loaded, or cannot read so many tokens."""
        found = load(self.encoder, side)
        if isinstance(found, PictureEncoder):
            return Frozen(replace(found, preprocessing=found.preprocessing.but(self.size, self.crop)), device)
        return Frozen(reading(found, self.max_tokens), device)

    def computing(self, device: torch.device | str) -> AbstractContextManager[object]:
        """What to compute in, on this device."""
        return computing(self.precision, device)


def as_noted(known: Mapping[str, Any], device: torch.device | str = "cpu") -> Frozen:
    """The encoder that a model's reference names, which reads texts as far as those that the model was trained on.

    It computes in float32. Raises KithError as `referred`.
    """
    frozen = referred(known, device)
    if isinstance(frozen.encoder, TextEncoder):
        frozen.encoder = reading(frozen.encoder, known["max_tokens"])
    return frozen

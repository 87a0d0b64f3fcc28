"""How a frozen encoder is used, where it is not as it comes: how far it reads a text, and how exactly it computes."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Literal

import torch

from kith.encoders.encoder import TextEncoder
from kith.encoders.frozen import Frozen, referred
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


def as_noted(known: Mapping[str, Any], device: torch.device | str = "cpu") -> Frozen:
    """The encoder that a model's reference names, which reads texts as far as those that the model was trained on.

    It computes in float32. Raises KithError as `referred`.
    """
    frozen = referred(known, device)
    if isinstance(frozen.encoder, TextEncoder):
        frozen.encoder = reading(frozen.encoder, known["max_tokens"])
    return frozen

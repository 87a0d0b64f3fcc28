"""What an encoder is to the rest of Kith: networks for pictures and texts, what they take, and where they come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from kith.encoders.preprocessing import Preprocessing
from kith.encoders.tokens import EncoderTokenizer


@dataclass(frozen=True)
class Origin:
    """Where an encoder comes from, as it is noted in what is made with it.

    name: as it is asked for; revision: version or commit; sha256: of its files; licence: as its makers state it.
    """

    name: str
    revision: str
    sha256: str
    licence: str


@dataclass(frozen=True)
class PictureEncoder:
    """network: standardised pictures (B, 3, size, size) to (B, width) float32, in evaluation mode.

    rebuild: what `EncoderKind.build` makes the same network from, without its weights.
    """

    origin: Origin
    network: nn.Module
    width: int
    preprocessing: Preprocessing
    rebuild: Mapping[str, Any]


@dataclass(frozen=True)
class TextEncoder:
    """network: token numbers (B, L) int64 and lengths (B,) to (B, width) float32, in evaluation mode.

    max_tokens: the longest text that it reads; the rest is cut off. rebuild: as of `PictureEncoder`.
    """

    origin: Origin
    network: nn.Module
    width: int
    tokenizer: EncoderTokenizer
    max_tokens: int
    rebuild: Mapping[str, Any]


Encoder = PictureEncoder | TextEncoder

"""The encoders that there are, by their names."""

import re

from kith.encoders.encoder import Encoder
from kith.encoders.hugging_face import HuggingFace
from kith.encoders.kind import EncoderKind
from kith.encoders.lite import Lite
from kith.encoders.minilm import MiniLM
from kith.encoders.names import Side
from kith.encoders.resnet_file import ResNetFile
from kith.encoders.timm_encoder import Timm
from kith.errors import KithError

KINDS: tuple[EncoderKind, ...] = (Lite(), MiniLM(), HuggingFace(), Timm(), ResNetFile())


def find(name: str) -> EncoderKind:
    """The kind of the encoder with this name. Raises KithError where there is none.

    >>> find("lite0").sides("lite0")
    ('image',)
    """
    for kind in KINDS:
        if re.fullmatch(kind.pattern, name):
            return kind
    known = ", ".join(kind.shown for kind in KINDS)
    raise KithError(f"there is no encoder '{name}'; there are {known}")


def load(name: str, side: Side) -> Encoder:
    """One side of an encoder, with its weights, on the CPU.

    Raises KithError in one sentence where a package, a file or the network is missing, or it has no such side.

    >>> load("lite0", "image").width  # doctest: +SKIP
    1280
    """
    kind = find(name)
    return kind.images(name) if side == "image" else kind.texts(name)

"""Encoders that a method goes on training: opened before the model is made, and its start."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from kith.encoders.encoder import Encoder, PictureEncoder, TextEncoder
from kith.encoders.finetuned import described
from kith.encoders.frozen import reference
from kith.encoders.names import Side
from kith.encoders.registry import load
from kith.models import DualEncoder
from kith.models.encoder_tower import EncoderTower
from kith.training.options import Finetuning, PictureFinetuning


@dataclass(frozen=True)
class StartingEncoder:
    """One side of an encoder with its weights, and how it is to be trained on."""

    encoder: Encoder
    options: Finetuning

    @cached_property
    def network(self) -> dict[str, Any]:
        """What the model's config says of it, see kith.encoders.finetuned."""
        return described(self.encoder)

    @property
    def reference(self) -> dict[str, Any]:
        """What is noted beside the model: where it comes from, and how it looks at its inputs."""
        return reference(self.encoder) | {"finetuned": True}


def starting_encoder(name: str, side: Side, options: Finetuning, *, cropped: bool = False) -> StartingEncoder:
    """The encoder `name`, loaded; cropped: whether augmentation cuts out what is looked at.

    Raises KithError where a package, a file or the network is missing, or it has no such side.
    """
    encoder = load(name, side)
    if isinstance(encoder, PictureEncoder):
        assert isinstance(options, PictureFinetuning)
        crop = options.crop or (1.0 if cropped else None)
        encoder = replace(encoder, preprocessing=encoder.preprocessing.but(options.size, crop))
    return StartingEncoder(encoder, options)


def start_from_encoders(model: DualEncoder, encoders: Mapping[Side, StartingEncoder]) -> None:
    """Give the towers of `model` the weights of their encoders, and set them up for training."""
    for side, start in encoders.items():
        tower = model.image_tower if side == "image" else model.text_tower
        assert isinstance(tower, EncoderTower)
        tower.start(start.encoder.network)
        named = {name: value for name, value in vars(start.options).items() if name in ("batch_norm", "checkpointing")}
        tower.set_up(**named)


def tokenizer_of(start: StartingEncoder, longest: int) -> tuple[Any, int]:
    """The tokenizer of an encoder of texts, and the most tokens of a text: `longest`, or what it reads at most."""
    assert isinstance(start.encoder, TextEncoder)
    return start.encoder.tokenizer, min(longest, start.encoder.max_tokens)

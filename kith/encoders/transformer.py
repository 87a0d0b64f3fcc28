"""Networks of transformers as Kith calls them: standardised pictures, or tokens and lengths, to one vector each."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kith.encoders.names import Side
from kith.encoders.sentences import build
from kith.errors import KithError

# What a model of both sides has of its own for each, and what it needs only to be trained.
PARTS = {"image": ("vision_model", "visual_projection"), "text": ("text_model", "text_projection")}
SCALES = ("logit_scale", "logit_bias")
# SigLIP was trained on texts filled up to one length, and takes the filling for a part of the text.
FILLED = ("siglip", "siglip2")

Pooled = Literal["pooler", "first"]


def is_dual(kind: str) -> bool:
    """Whether models of this type embed pictures and texts into one space.

    >>> is_dual("clip"), is_dual("bert")
    (True, False)
    """
    return hasattr(_model_class(kind), "get_text_features")


def is_of_pictures(kind: str) -> bool:
    """Whether models of this type take pictures.

    >>> is_of_pictures("dinov2"), is_of_pictures("bert")
    (True, False)
    """
    return getattr(_model_class(kind), "main_input_name", "") == "pixel_values"


def model_of(source: Path | Mapping[str, Any], side: Side) -> tuple[Any, Pooled]:
    """One side of a model: with the weights in a folder, or without, from the content of its config.json; and whether
    it has a pooler of its own, or its first position stands for the picture.

    Raises KithError where weights are missing.
    """
    from transformers import AutoConfig, AutoModel

    pooled: Pooled = "pooler"
    with _quiet():
        if isinstance(source, Path):
            model, report = _loaded(source)
            missing = [name for name in report["missing_keys"] if "position_ids" not in name]
            if missing and all("pooler" in name for name in missing):  # a classifier's, which has none
                pooled = "first"
            elif missing:
                raise KithError(f"{source}: its weights lack {missing[0]}, and {len(missing) - 1} more; get them again")
        else:
            kind = source["model_type"]
            rest = {name: value for name, value in source.items() if name != "model_type"}
            model = AutoModel.from_config(AutoConfig.for_model(kind, **rest))
    other = "text" if side == "image" else "image"
    for name in (*PARTS[other], *SCALES):
        if is_dual(model.config.model_type) and hasattr(model, name):
            delattr(model, name)
    return model, pooled


class PictureNetwork(nn.Module):
    """Standardised pictures (B, 3, H, W) to (B, d): a dual model's picture features, or what a network pools.

    pooled: "pooler" takes the model's own pooler, "first" the first position, which is the class token.
    """

    def __init__(self, model: Any, pooled: Pooled):
        super().__init__()
        self.model, self.pooled = model, pooled
        self.dual = is_dual(model.config.model_type)
        config = getattr(model.config, "vision_config", model.config)
        self.side = getattr(config, "image_size", None)

    def forward(self, x: Tensor) -> Tensor:
        if self.dual:
            # Positions are learned for one size; for another they are interpolated.
            other = {"interpolate_pos_encoding": True} if x.shape[-1] != self.side else {}
            return _vector(self.model.get_image_features(pixel_values=x, **other))
        found = self.model(pixel_values=x)
        if self.pooled == "first":
            return found.last_hidden_state[:, 0]
        pooled = getattr(found, "pooler_output", None)
        # Of a transformer without a pooler the first position; maps of a convolutional network are averaged.
        if pooled is None:
            states = found.last_hidden_state
            pooled = states[:, 0] if states.ndim == 3 else states.mean(dim=(2, 3))
        return pooled.flatten(1)

    @torch.no_grad()
    def width(self, size: int) -> int:
        """Of the vectors, told by a black picture."""
        return self(torch.zeros(1, 3, size, size)).shape[1]

    @torch.no_grad()
    def repeats(self, size: int) -> bool:
        """Whether a picture gets the same vector twice. Some models hide parts of it by chance (ViT-MAE)."""
        picture = torch.linspace(-1, 1, 3 * size * size).view(1, 3, size, size)
        return torch.equal(self(picture), self(picture))


class TextNetwork(nn.Module):
    """Token numbers (B, L) and lengths (B,) to (B, d): a dual model's text features, or pooled states.

    layers: of a model of texts alone, see kith.encoders.sentences; pad: the number that fills texts up.
    """

    def __init__(self, model: Any, layers: Sequence[Mapping[str, Any]], pad: int):
        super().__init__()
        self.model, self.layers, self.pad = model, build(layers), pad
        self.kind = model.config.model_type
        self.dual = is_dual(self.kind)
        config = getattr(model.config, "text_config", model.config)
        self.filled = config.max_position_embeddings if self.kind in FILLED else None

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        mask = places < lengths.unsqueeze(1)
        ids = torch.where(mask, tokens, self.pad)
        if self.filled is not None:
            ids = F.pad(ids, (0, self.filled - ids.shape[1]), value=self.pad)
            return _vector(self.model.get_text_features(input_ids=ids))
        attention = mask.long()
        if self.dual:
            return _vector(self.model.get_text_features(input_ids=ids, attention_mask=attention))
        states = self.model(input_ids=ids, attention_mask=attention).last_hidden_state
        for layer in self.layers:
            states = layer(states, mask)
        return states

    @torch.no_grad()
    def width(self) -> int:
        """Of the vectors, told by a text of one token."""
        return self(torch.full((1, 2), self.pad), torch.tensor([2])).shape[1]


def _vector(found: Any) -> Tensor:
    """Versions of transformers give a tensor, or an output whose pooler_output is it."""
    return found if isinstance(found, Tensor) else found.pooler_output


def _loaded(folder: Path) -> tuple[Any, dict[str, Any]]:
    from transformers import AutoModel

    try:
        return AutoModel.from_pretrained(folder, output_loading_info=True, local_files_only=True)
    except Exception as error:  # transformers raises nearly anything on broken files
        reason = str(error).strip().splitlines()[0]
        raise KithError(f"{folder}: cannot be loaded by transformers ({reason})") from None


def _model_class(kind: str) -> Any:
    from transformers import AutoModel
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    try:
        found = AutoModel._model_mapping[CONFIG_MAPPING[kind]]
    except KeyError:
        raise KithError(f"transformers knows no model of type '{kind}'; a newer version may") from None
    return found[0] if isinstance(found, tuple) else found


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without progress bars and advice."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        logging.enable_progress_bar()

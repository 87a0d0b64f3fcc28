"""A frozen encoder as the first part of a model: the features on which it was trained, of new pictures and texts."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kith.encoders.encoder import PictureEncoder, TextEncoder
from kith.encoders.names import Side
from kith.encoders.preprocessing import Preprocess, Preprocessing
from kith.encoders.registry import load
from kith.errors import KithError
from kith.text.tokenizer import WHOLE

DTYPE = np.float16  # of features on the disk; half the size, and what a model was trained on
BATCH = 32


class Frozen:
    """One side of an encoder for use alone: on a device, and as fast as it can be without changing what it gives.

    side: "image" or "text"; network: as of the encoder; for pictures with `preprocess` before it.
    """

    def __init__(self, encoder: PictureEncoder | TextEncoder, device: torch.device | str = "cpu"):
        self.encoder, self.device = encoder, torch.device(device)
        copied = getattr(encoder.network, "folded", lambda: copy.deepcopy(encoder.network))
        network: nn.Module = copied().eval().requires_grad_(False)
        self.preprocess: nn.Module | None = None
        if isinstance(encoder, PictureEncoder):
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.preprocess = Preprocess(encoder.preprocessing).to(device)
        self.network = network.to(device)

    @torch.inference_mode()
    def images(self, pictures: Tensor) -> np.ndarray:
        """uint8 pictures (B, H, W, C), C = 1 or 3, to float16 features (B, width)."""
        assert self.preprocess is not None
        return stored(self.network(self.preprocess(pictures.to(self.device))))

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Texts to float16 features (B, width)."""
        assert isinstance(self.encoder, TextEncoder)
        tokens, lengths = self.encoder.tokenizer.encode(list(texts), self.encoder.max_tokens)
        return stored(self.network(*(torch.from_numpy(each).long().to(self.device) for each in (tokens, lengths))))

    def cut(self, texts: Sequence[str]) -> int:
        """How many texts are longer than the encoder reads."""
        assert isinstance(self.encoder, TextEncoder)
        parts = (list(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH))
        lengths = [self.encoder.tokenizer.encode(part, WHOLE)[1] for part in parts]
        return int((np.concatenate(lengths) > self.encoder.max_tokens).sum()) if lengths else 0


def reference(encoder: PictureEncoder | TextEncoder) -> dict[str, Any]:
    """What a model notes of the encoder that its features are from, in plain values."""
    known: dict[str, Any] = dict(vars(encoder.origin))
    known |= {"parameters": sum(each.numel() for each in encoder.network.parameters())}
    if isinstance(encoder, PictureEncoder):
        return known | {"preprocessing": encoder.preprocessing.plain()}
    return known | {"max_tokens": encoder.max_tokens}


def reads_texts(known: Mapping[str, Any]) -> bool:
    """Whether what a model notes of an encoder, its `reference`, is of one that reads texts.

    >>> reads_texts({"name": "minilm", "max_tokens": 256}), reads_texts({"name": "lite0", "preprocessing": {}})
    (True, False)
    """
    return "max_tokens" in known


@lru_cache(maxsize=4)
def _loaded(name: str, side: Side) -> PictureEncoder | TextEncoder:
    return load(name, side)


def referred(known: Mapping[str, Any], device: torch.device | str = "cpu") -> Frozen:
    """The encoder that a model's `reference` names, with the side that it was taken for.

    Raises KithError where it cannot be loaded, or is another one than the model was trained with.
    """
    encoder = _loaded(known["name"], "text" if reads_texts(known) else "image")
    if encoder.origin.sha256 != known["sha256"]:
        raise KithError(
            f"the encoder {known['name']} is not the one that the model was trained with (revision "
            f"{known['revision']}, SHA-256 {known['sha256'][:12]}…, not {encoder.origin.sha256[:12]}…); install that "
            "one, or train again"
        )
    if isinstance(encoder, PictureEncoder):
        encoder = replace(encoder, preprocessing=Preprocessing(**known["preprocessing"]))
    return Frozen(encoder, device)


def stored(features: Tensor) -> np.ndarray:
    """Features as they are kept: float16. Values beyond its range would be infinite, and are cut to it.

    >>> stored(torch.tensor([1.0, 1e6])).tolist()
    [1.0, 65504.0]
    """
    limit = float(np.finfo(DTYPE).max)
    return features.float().clamp(-limit, limit).cpu().numpy().astype(DTYPE)

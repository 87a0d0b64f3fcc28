"""The vectors that a search goes over: those of the embed stage, or of every item, embedded once and kept."""

import contextlib
import hashlib
import logging
import os
import zipfile
from pathlib import Path

import numpy as np

from kith.data.temporary import beside
from kith.errors import KithError
from kith.models import DualEncoder
from kith.models.embed import embed_images, embed_texts
from kith.progress import Progress
from kith.store.encoded import Encoded, encoded_beside, prove_encoded
from kith.store.inputs import image_input, text_input
from kith.store.prepared import Prepared
from kith.store.run import SIDES, EmbeddedSide, EmbeddingFiles, prove_trained, read_embeddings
from kith.text.tokenizer import Tokenizer

CACHE = "search_vectors.npz"
CHUNK = 4096  # rows between two looks at the progress

log = logging.getLogger(__name__)


def embedded(run: Path, dim: int, data: Prepared) -> dict[str, EmbeddedSide]:
    """What the embed stage left in a run's folder. Raises KithError where that is missing or of other data."""
    files = EmbeddingFiles.of(run)
    if not files.rows.exists():
        raise KithError(f"{files.rows}: no such file; run the embed stage, or let the search embed all: --embed-all")
    found = read_embeddings(files, data, run / "model.pt")
    for side, path in ((found.image, files.images), (found.text, files.texts)):
        if side.vectors.shape[-1] != dim:
            raise KithError(
                f"{path}: {side.vectors.shape[-1]} numbers a vector, but the model gives {dim}; embed again"
            )
    return {"image": found.image, "text": found.text}


def everything(
    run: Path, model: DualEncoder, vocabulary: Tokenizer, tokens: int, data: Prepared
) -> dict[str, EmbeddedSide]:
    """Both sides of every item, from search_vectors.npz if it is of this model and these data, else embedded and
    kept there; where the folder cannot be written, they are not kept.

    tokens: the longest text, in words. Raises KithError where the model was trained on other data.
    """
    made_of = [prove_trained(run, data)["files"]["model.pt"], data.checksum]
    kept = _kept(run / CACHE, made_of)
    if kept is not None:
        return kept
    items = np.arange(len(data))
    sides = {side: EmbeddedSide(np.zeros((0, *model.shape), np.float32), np.zeros(0, np.int64)) for side in SIDES}
    encoded = {
        side: Encoded(encoded_beside(data, model.config[side]["encoder"]["called"]), data)
        for side in SIDES
        if "encoder" in (model.config[side] or {})
    }
    prove_encoded(encoded, model.config)
    pictures = image_input(data, encoded.get("image"))
    rows, owners = pictures.all_of(items)
    sides["image"] = EmbeddedSide(_in_chunks(embed_images, model, pictures, rows, run.name, "images"), owners)
    if model.text_tower is not None:
        texts = text_input(data, vocabulary, tokens, encoded.get("text"))
        rows, owners = texts.all_of(items)
        sides["text"] = EmbeddedSide(_in_chunks(embed_texts, model, texts, rows, run.name, "texts"), owners)
    _keep(run / CACHE, made_of, sides)
    return sides


def _in_chunks(embed, model: DualEncoder, inputs, rows: np.ndarray, name: str, unit: str) -> np.ndarray:
    parts = [np.zeros((0, *model.shape), np.float32)]
    with Progress(f"embed all of {name}", len(rows), unit) as progress:
        for start in range(0, len(rows), CHUNK):
            parts.append(embed(model, inputs, rows[start : start + CHUNK]))
            progress.step(len(parts[-1]))
    return np.concatenate(parts)


def _kept(path: Path, made_of: list[str]) -> dict[str, EmbeddedSide] | None:
    """What was kept, if it is whole and of these data and this model."""
    try:
        with np.load(path) as arrays:
            sides = {side: EmbeddedSide(arrays[f"{side}_vectors"], arrays[f"{side}_items"]) for side in SIDES}
            return sides if arrays["made_of"].tolist() == [*made_of, _checksum(sides)] else None
    except (OSError, KeyError, ValueError, TypeError, IndexError, EOFError, zipfile.BadZipFile):
        return None


def _keep(path: Path, made_of: list[str], sides: dict[str, EmbeddedSide]) -> None:
    arrays = {f"{side}_{name}": array for side in SIDES for name, array in vars(sides[side]).items()}
    temporary = beside(path)
    try:
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, made_of=np.array([*made_of, _checksum(sides)]), **arrays)
        os.replace(temporary, path)
    except OSError as error:
        log.warning("%s: not kept for the next time (%s)", path, error.strerror or error)
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _checksum(sides: dict[str, EmbeddedSide]) -> str:
    total = hashlib.sha256()
    for side in SIDES:
        for array in vars(sides[side]).values():
            total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()

"""The vectors that a search goes over: those of the embed stage, or of every item, embedded once and kept."""

import hashlib
import logging
import os
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from kith.errors import KithError
from kith.models import DualEncoder
from kith.models.embed import embed_images, embed_texts
from kith.store.prepared import Prepared
from kith.text.tokens import Vocabulary

SIDES = ("image", "text")
CACHE = "search_vectors.npz"
CHUNK = 4096  # rows between two steps of the progress bar

log = logging.getLogger(__name__)


class Side(NamedTuple):
    """Unit vectors (n, dim) float32 and the item (n,) int64 of each; an item may have several, or none."""

    vectors: np.ndarray
    items: np.ndarray


def embedded(run: Path, n_items: int, dim: int) -> dict[str, Side]:
    """What the embed stage left in a run's folder. Raises KithError where that is missing or of other data."""
    try:
        with np.load(run / "embedding_rows.npz") as rows:
            sides = {
                side: Side(np.load(run / f"embeddings_{side}.npy"), rows[f"{side}_rows"].astype(np.int64))
                for side in SIDES
            }
    except FileNotFoundError as error:
        raise KithError(
            f"{error.filename}: no such file; run the embed stage, or let the search embed all items: --embed-all"
        ) from None
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        raise KithError(f"{run}: embeddings cannot be read ({error}); run the embed stage again") from None
    for side, (vectors, items) in sides.items():
        if vectors.shape != (len(items), dim):
            raise KithError(
                f"{run / f'embeddings_{side}.npy'}: {vectors.shape} numbers, but the model gives {dim} and "
                f"embedding_rows.npz names {len(items)} items; run the embed stage again"
            )
        if len(items) and items.max() >= n_items:
            raise KithError(
                f"{run / 'embedding_rows.npz'}: names item {items.max()}, the data hold {n_items}; "
                "name the data that the run was trained on (--data), or run the embed stage again"
            )
    return sides


def everything(run: Path, model: DualEncoder, vocabulary: Vocabulary, tokens: int, data: Prepared) -> dict[str, Side]:
    """Both sides of every item, from search_vectors.npz if it is of this model and these data, else embedded and
    kept there; where the folder cannot be written, they are not kept.

    tokens: the longest text, in words.
    """
    made_of = [hashlib.sha256((run / "model.pt").read_bytes()).hexdigest(), data.checksum]
    kept = _kept(run / CACHE, made_of)
    if kept is not None:
        return kept
    items = np.arange(len(data))
    sides = {side: Side(np.zeros((0, model.dim), np.float32), np.zeros(0, np.int64)) for side in SIDES}
    pictures = data.image_view()
    rows, owners = pictures.all_of(items)
    sides["image"] = Side(_in_chunks(embed_images, model, pictures, rows, f"{run.name}: images"), owners)
    if model.text_tower is not None:
        texts = data.text_view(vocabulary, tokens)
        rows, owners = texts.all_of(items)
        sides["text"] = Side(_in_chunks(embed_texts, model, texts, rows, f"{run.name}: texts"), owners)
    _keep(run / CACHE, made_of, sides)
    return sides


def _in_chunks(embed, model: DualEncoder, view, rows: np.ndarray, name: str) -> np.ndarray:
    parts = [np.zeros((0, model.dim), np.float32)]
    with tqdm(total=len(rows), desc=name, unit=" items", disable=None) as progress:
        for start in range(0, len(rows), CHUNK):
            parts.append(embed(model, view, rows[start : start + CHUNK]))
            progress.update(len(parts[-1]))
    return np.concatenate(parts)


def _kept(path: Path, made_of: list[str]) -> dict[str, Side] | None:
    try:
        with np.load(path) as arrays:
            if arrays["made_of"].tolist() != made_of:
                return None
            return {side: Side(arrays[f"{side}_vectors"], arrays[f"{side}_items"]) for side in SIDES}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def _keep(path: Path, made_of: list[str], sides: dict[str, Side]) -> None:
    arrays = {f"{side}_{name}": array for side in SIDES for name, array in sides[side]._asdict().items()}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, made_of=np.array(made_of), **arrays)
        os.replace(temporary, path)
    except OSError as error:
        log.warning("%s: not kept for the next time (%s)", path, error.strerror or error)
    finally:
        temporary.unlink(missing_ok=True)

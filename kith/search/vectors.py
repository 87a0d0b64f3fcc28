"""The vectors that a search goes over: those of the embed stage, or of every item, embedded once and kept."""

import hashlib
import logging
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kith.errors import KithError
from kith.models import DualEncoder
from kith.progress import Progress
from kith.rows import npz
from kith.rows.encoding import encode
from kith.rows.kept import KEY
from kith.search.form import prove_form
from kith.search.rows import EmbeddedRows, KnownRows
from kith.store.prepared import Prepared
from kith.store.provenance import TRAINED, parameters, proved
from kith.store.run import SIDES, EmbeddedSide, EmbeddingFiles, prove_trained, read_embeddings
from kith.store.trained_inputs import trained_inputs
from kith.text.tokenizer import Tokenizer

CACHE = "search_vectors.npz"

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
    run: Path, model: DualEncoder, vocabulary: Tokenizer, tokens: int, data: Prepared, grown: bool = False
) -> dict[str, EmbeddedSide]:
    """Both sides of every item, from search_vectors.npz as far as it has them of this model, else embedded, and kept
    there; where the folder cannot be written, they are not kept.

    tokens: the longest text, in words. grown: the data need not be those that the model was trained on, only of their
    form: rows have come or gone. Raises KithError where the model cannot read such data.
    """
    made_with = _proved(run, model, data, grown)
    kept = _kept(run / CACHE, made_with)
    if kept is not None and kept.data == data.checksum:
        return kept.sides
    inputs = trained_inputs(model.config, data, vocabulary, tokens)
    nothing = EmbeddedSide(np.zeros((0, *model.shape), np.float32), np.zeros(0, np.int64))
    made = Kept(data.checksum, dict.fromkeys(SIDES, nothing), dict.fromkeys(SIDES, np.zeros(0, KEY)), {})
    for side, each in inputs.items():
        rows, owners = each.all_of(np.arange(len(data)))
        source = EmbeddedRows(model, side, each, rows)
        made.told[side], made.keys[side] = parameters(source.told()), source.keys()
        made.sides[side] = EmbeddedSide(_embedded(source, side, kept, made, run.name), owners)
    _keep(run / CACHE, made_with, made)
    return made.sides


def _proved(run: Path, model: DualEncoder, data: Prepared, grown: bool) -> str:
    """The checksum of the model. Raises KithError unless it was trained on these data, or can read such ones."""
    if not grown:
        return prove_trained(run, data)["files"]["model.pt"]
    trained = proved(run / TRAINED, [run / "model.pt"], "train")
    if trained.get("data") != data.checksum:
        prove_form(model.config, data)
        print(f"{run}: was trained on other rows than {data.folder} has; all are embedded as it is", file=sys.stderr)
    return trained["files"]["model.pt"]


def _embedded(source: EmbeddedRows, side: str, kept: "Kept | None", made: "Kept", name: str) -> np.ndarray:
    """(n, …) of the rows: of those that are kept, what was kept, where a row's vector is its own."""
    known = KnownRows(np.zeros(0, KEY), made.sides[side].vectors)
    if kept is not None and kept.told.get(side) == made.told[side] and len(source) and source.alone():
        known = KnownRows(kept.keys[side], kept.sides[side].vectors)
    vectors = np.empty((len(source), *made.sides[side].vectors.shape[1:]), np.float32)
    with Progress(f"embed all of {name}", len(source), f"{side}s") as progress:
        counted = encode(source, known, vectors, progress.step)
    if counted.known:
        print(f"{name}: {counted.told(f'{side}s')}", file=sys.stderr)
    return vectors


@dataclass(frozen=True)
class Kept:
    """What a run has embedded: of which data; and by side the vectors, what is in their rows, and what else decides
    them."""

    data: str
    sides: dict[str, EmbeddedSide]
    keys: dict[str, np.ndarray]
    told: dict[str, str]


def _kept(path: Path, made_with: str) -> Kept | None:
    """What was kept, if it is whole and of this model."""
    try:
        with np.load(path) as arrays:
            sides = {side: EmbeddedSide(arrays[f"{side}_vectors"], arrays[f"{side}_items"]) for side in SIDES}
            keys = {side: np.ascontiguousarray(arrays[f"{side}_keys"]).view(KEY).ravel() for side in SIDES}
            model, data, *told, checksum = arrays["made_of"].tolist()
            found = Kept(data, sides, keys, dict(zip(SIDES, told, strict=True)))
            return found if model == made_with and checksum == _checksum(found) else None
    except (OSError, KeyError, ValueError, TypeError, IndexError, EOFError, zipfile.BadZipFile):
        return None


def _keep(path: Path, made_with: str, made: Kept) -> None:
    arrays = {f"{side}_{name}": array for side in SIDES for name, array in vars(made.sides[side]).items()}
    arrays |= {f"{side}_keys": np.ascontiguousarray(keys).view(np.uint8) for side, keys in made.keys.items()}
    made_of = [made_with, made.data, *(made.told.get(side, "") for side in SIDES), _checksum(made)]
    try:
        npz.write(path, made_of=np.array(made_of), **arrays)
    except OSError as error:
        log.warning("%s: not kept for the next time (%s)", path, error.strerror or error)


def _checksum(made: Kept) -> str:
    total = hashlib.sha256()
    for side in SIDES:
        for array in (*vars(made.sides[side]).values(), made.keys[side].view(np.uint8)):
            total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()

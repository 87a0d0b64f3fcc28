"""What new rows are compared with: samples of the rows that a run was trained on and measured on, kept beside it."""

import hashlib
import logging
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kith.data.digests import sha256
from kith.data.splits import chances
from kith.drift.judged import SampleRows
from kith.drift.opened import OpenedRun
from kith.errors import KithError
from kith.models.embed import embed_images, embed_texts
from kith.rows import npz
from kith.similarity import unit_rows
from kith.store.inputs import ArrayInput, ModalityInput
from kith.store.prepared import Prepared
from kith.store.run import SIDES, prove_trained
from kith.store.trained_inputs import trained_inputs

log = logging.getLogger(__name__)

KEPT = "drift.npz"  # in the run's folder
SAMPLES = {"trained": 5000, "held_out": 2000}  # items, at most
ARRAYS = (*SIDES, "similarity", "unknown")
DRAWN = (
    "one item a group, of val and test"  # how those held out are drawn; samples that were drawn otherwise are not used
)


@dataclass(frozen=True)
class Reference:
    """Samples of the items that a model was trained on, and of those held out; ids: (n,) uint64, of all items that
    were there, by `id_numbers`, ascending."""

    trained: SampleRows
    held_out: SampleRows
    ids: np.ndarray

    def knows(self, ids: Iterable[str]) -> np.ndarray:
        """(n,) bool: which ids were there when the model was trained."""
        return np.isin(id_numbers(ids), self.ids)


def id_numbers(ids: Iterable[str]) -> np.ndarray:
    """(n,) uint64: the first eight bytes of the SHA-256 of each id.

    >>> id_numbers(["a", "b"]).dtype
    dtype('uint64')
    """
    digests = (hashlib.sha256(str(name).encode(errors="surrogatepass")).digest()[:8] for name in ids)
    return np.frombuffer(b"".join(digests), dtype="<u8")


def reference(run: OpenedRun, data: Path) -> Reference:
    """That of a run: what is kept beside its model, or else made of the data that it was trained on, and kept; so it is
    there when the data have changed.

    data: the folder of the prepared data. Raises KithError where nothing is kept and the data are not those that the
    model was trained on.
    """
    made_of = f"{sha256(run.folder / 'model.pt')} {DRAWN}"
    if (kept := _kept(run.folder / KEPT, made_of)) is not None:
        return kept
    prepared = Prepared(data)
    try:
        prove_trained(run.folder, prepared)
    except KithError as error:
        raise KithError(f"{error}; the first `kith drift` of a run needs the data that it was trained on") from None
    made = _made(run, prepared)
    _keep(run.folder / KEPT, made, made_of)
    return made


def _made(run: OpenedRun, data: Prepared) -> Reference:
    inputs = trained_inputs(run.model.config, data, run.vocabulary, run.tokens)
    order = np.argsort(chances(data.table["id"].tolist(), seed=0), kind="stable")
    drawn = {"trained": order[data.splits[order] == "train"], "held_out": _independent(data, order)}
    samples = {name: _sample(run, data, inputs, np.sort(items[: SAMPLES[name]])) for name, items in drawn.items()}
    return Reference(samples["trained"], samples["held_out"], np.sort(id_numbers(data.table["id"])))


def _independent(data: Prepared, order: np.ndarray) -> np.ndarray:
    """Of the items in `order` those held out, one of each group and of each picture: items that show the same thing are
    no evidence of their own, and tests that take them for it find differences where there are none.

    Further test sets are of another kind by intention: they are taken only where there is neither val nor test.
    """
    usual = np.isin(data.splits.astype(str), ("val", "test"))
    asked = usual if usual.any() else np.array([split.startswith("test_") for split in data.splits], dtype=bool)
    rows = data.table[["group", "image_row"]].iloc[order[asked[order]]].reset_index(drop=True)
    again = rows["group"].duplicated() | (rows["image_row"].duplicated() & (rows["image_row"] >= 0))
    return order[asked[order]][~again.to_numpy()]


def _sample(run: OpenedRun, data: Prepared, inputs: dict[str, ModalityInput], items: np.ndarray) -> SampleRows:
    """Of these items: the image side, and the first text of each."""
    owners = {side: items[each.has(items)] for side, each in inputs.items()}
    embed = {"image": embed_images, "text": embed_texts}
    vectors = {side: embed[side](run.model, each, _first(each, owners[side])) for side, each in inputs.items()}
    texts = [data.table["texts"].iat[item] for item in items.tolist()]
    return SampleRows(vectors, similarity_of(vectors, owners), run.unknown([each[0] for each in texts if len(each)]))


def _first(inputs: ModalityInput, items: np.ndarray) -> np.ndarray:
    """The first row of each of these items, which have one."""
    return inputs.rows[items] if isinstance(inputs, ArrayInput) else inputs.start[items]


def similarity_of(vectors: Mapping[str, np.ndarray], owners: Mapping[str, np.ndarray]) -> np.ndarray:
    """(m,) the cosine of both sides of each item that has both; owners: by side, (n,) ascending, whose its vectors
    are."""
    if set(vectors) != set(SIDES):
        return np.zeros(0)
    _, *places = np.intersect1d(owners["image"], owners["text"], assume_unique=True, return_indices=True)
    image, text = (
        unit_rows(vectors[side][at]) if len(at) else vectors[side][:0] for side, at in zip(SIDES, places, strict=True)
    )
    return (image * text).sum(axis=1)


def _kept(path: Path, made_of: str) -> Reference | None:
    """What was kept, if it is whole and of this model."""
    try:
        with np.load(path) as arrays:  # whose checksums are those of the zip format
            if arrays["made_of"].item() != made_of:
                return None
            samples = []
            for name in SAMPLES:
                own = {key: arrays[f"{name}_{key}"] for key in ARRAYS if f"{name}_{key}" in arrays}
                vectors = {side: own[side] for side in SIDES if side in own}
                samples.append(SampleRows(vectors, own["similarity"], own["unknown"]))
            return Reference(samples[0], samples[1], arrays["ids"])
    except (OSError, KeyError, ValueError, TypeError, IndexError, EOFError, zipfile.BadZipFile):
        return None


def _keep(path: Path, made: Reference, made_of: str) -> None:
    arrays = {"made_of": np.array(made_of), "ids": made.ids}
    for name, sample in zip(SAMPLES, (made.trained, made.held_out), strict=True):
        arrays |= {f"{name}_{key}": getattr(sample, key) for key in ("similarity", "unknown")}
        arrays |= {f"{name}_{side}": vectors for side, vectors in sample.vectors.items()}
    try:
        npz.write(path, **arrays)
    except OSError as error:
        log.warning("%s: not kept for the next time (%s)", path, error.strerror or error)

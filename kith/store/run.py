"""The folder of a run: what training, embedding and evaluation leave, read by one reader.

Whoever reads vectors gets the item of each, and the proof that the items are those of the prepared data at hand.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kith.errors import KithError, listed, reading
from kith.store.prepared import Prepared
from kith.store.provenance import TRAINED, Note, not_finite, proved

SIDES = ("image", "text")
AGAIN = "run the embed stage again"


@dataclass(frozen=True)
class EmbeddingFiles:
    """What the embed stage writes; `embedded` is the note of what it is made of."""

    images: Path
    texts: Path
    rows: Path
    scores: Path
    embedded: Path

    @classmethod
    def of(cls, run: Path) -> "EmbeddingFiles":
        """Those of a run's folder, as dvc.yaml names them."""
        return cls(
            run / "embeddings_image.npy",
            run / "embeddings_text.npy",
            run / "embedding_rows.npz",
            run / "class_scores.npz",
            run / "embedded.json",
        )


@dataclass(frozen=True)
class EmbeddedSide:
    """Unit vectors (n, dim) float32, or of K vectors an item (n, K, dim), and the item (n,) int64 of each row,
    ascending; an item may have several, or none."""

    vectors: np.ndarray
    items: np.ndarray

    @property
    def several(self) -> bool:
        """Whether an item has several vectors, of which the nearest two count."""
        return self.vectors.ndim == 3


@dataclass(frozen=True)
class Embeddings:
    """Both sides of the embedded items. coded: whether the vectors are meant as binary codes, which are their signs."""

    image: EmbeddedSide
    text: EmbeddedSide
    coded: bool


def one_vector(shape: tuple[int, ...], run: Path) -> None:
    """Raise KithError for a run with several vectors an item, whose shape is (K, dim): what one does with a vector
    would not do with these.

    >>> one_vector((256,), Path("runs/glyphs/infonce-0"))
    """
    if len(shape) > 1:
        raise KithError(
            f"{run}: has {shape[0]} vectors an item (train.attention), which count by the nearest two; this takes one: "
            "search it with `kith search`, or embed with kith.load, which gives (n, K, dim)"
        )


def existing(run: Path) -> Path:
    """The folder of a run that is there. Raises KithError that names those beside it."""
    if not (run / "model.pt").is_file():
        there = sorted(path.parent.name for path in run.parent.glob("*/model.pt"))
        known = f"there are {listed(there, 20)}" if there else "train one first"
        raise KithError(f"{run}: no such run; {known}")
    return run


def prove_trained(run: Path, data: Prepared) -> Note:
    """The note of the training of a run's model. Raises KithError unless it was trained on these data."""
    return proved(run / TRAINED, [run / "model.pt"], "train", data=data)


def read_embeddings(files: EmbeddingFiles, data: Prepared, model: Path | None = None) -> Embeddings:
    """What the embed stage left; vectors are memory-mapped.

    Raises KithError that names the file where one is missing or broken, holds numbers that are not finite, or is not
    of these data or of this model.
    """
    written = [files.images, files.texts, files.rows]
    for path in written:
        if not path.exists():
            raise KithError(f"{path}: no such file; run the embed stage")
    proved(files.embedded, written, "embed", data=data, model=model)
    with reading(files.rows, AGAIN), np.load(files.rows) as rows:
        items, coded = [rows[f"{side}_rows"].astype(np.int64) for side in SIDES], bool(rows["codes"])
    image, text = (_side(path, rows_of, data) for path, rows_of in zip(written, items, strict=False))
    return Embeddings(image, text, coded)


def read_scores(files: EmbeddingFiles, embeddings: Embeddings) -> dict[str, np.ndarray]:
    """Class scores (n, classes) float32 of the embedded pictures, by the names of `DualEncoder.class_scores`.

    Raises KithError where they are not those that were written with the embeddings, or not finite.
    """
    proved(files.embedded, [files.scores], "embed")
    with reading(files.scores, AGAIN), np.load(files.scores) as arrays:
        scores = dict(arrays)
    for name, values in scores.items():
        if (row := not_finite(values)) is not None:
            raise KithError(f"{files.scores}: {name}: row {row} is not finite; train again, with a lower lr")
        if len(values) != len(embeddings.image.items):
            raise KithError(f"{files.scores} ({name}: {len(values)} rows) and {files.rows} do not match; embed again")
    return scores


def _side(path: Path, items: np.ndarray, data: Prepared) -> EmbeddedSide:
    """Raises KithError unless each vector is finite and has an item, ascending."""
    with reading(path, AGAIN):
        vectors = np.load(path, mmap_mode="r")
    known = np.concatenate([[0], items, [len(data) - 1]])  # ascending if every row is one of the items'
    if len(vectors) != len(items) or (np.diff(known) < 0).any():
        raise KithError(f"{path}: {len(vectors)} vectors, and rows of {len(items)} items; run the embed stage again")
    if (row := not_finite(vectors)) is not None:
        item = data.table["id"].iloc[items[row]]
        raise KithError(f"{path}: row {row} (item '{item}') is not finite; train again, with a lower lr")
    return EmbeddedSide(vectors, items)

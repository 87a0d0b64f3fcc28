"""What a result was made of, noted beside it and proved before it is used.

Vectors, ranks and neighbours belong to items by row number, and class numbers are rows of a table. So the reader of
such files has to know that both sides belong together: every stage leaves a note (JSON) with the checksum of the
prepared data, of the model where there is one, of its parameters, and of the files that it wrote.
"""

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256 as hash_of
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kith.data.digests import sha256
from kith.errors import KithError, reading

if TYPE_CHECKING:  # with pandas, which takes long, and which notes do without
    from kith.store.prepared import Prepared

NOTE = "made_of.json"  # in the folder of a stage that writes one
ROWS = 8192  # at a time, so that what is memory-mapped never lies in memory as a whole
TRAINED = "trained.json"  # beside model.pt, which it notes

Note = dict[str, Any]


def note(results: Iterable[Path], **made_of: Any) -> Note:
    """What is noted of `results`: their checksums by name, and `made_of`, such as the checksums of data and model."""
    return {**made_of, "files": {path.name: sha256(path) for path in results}}


def parameters(values: Any) -> str:
    """SHA-256 of parameters, whatever their order.

    >>> parameters({"k": 5, "seed": 0}) == parameters({"seed": 0, "k": 5})
    True
    """
    return hash_of(json.dumps(values, sort_keys=True).encode()).hexdigest()


def proved(
    path: Path,
    results: Sequence[Path],
    stage: str,
    *,
    data: "Prepared | str | None" = None,
    model: Path | None = None,
) -> Note:
    """The note at `path`, once it is shown that the `results` are the files that `stage` wrote with it, and that they
    are of these prepared data (or of those with this checksum) and of this model.

    Raises KithError that says what does not belong together.
    """
    known = read(path, stage)
    for result in (*results, *([] if model is None else [model])):
        if not result.is_file():
            raise KithError(f"{result}: no such file; run the {stage} stage again")
    for result in results:
        if known["files"].get(result.name) != sha256(result):
            raise KithError(
                f"{result}: is not the file that the {stage} stage noted in {path}; run the {stage} stage again"
            )
    if data is not None and known.get("data") != (data if isinstance(data, str) else data.checksum):
        other = "the other inputs" if isinstance(data, str) else f"{data.folder}"
        raise KithError(
            f"{path}: was made of other data than {other}; name the data that it was made of (--data), "
            f"or run the {stage} stage again"
        )
    if model is not None and known.get("model") != sha256(model):
        raise KithError(f"{path}: was made with another model than {model}; run the {stage} stage again")
    return known


def read(path: Path, stage: str) -> Note:
    """The note at `path`. Raises KithError where there is none, or it cannot be read."""
    if not path.is_file():
        raise KithError(
            f"{path}: no such file, so nobody knows what the files beside it were made of; run the {stage} stage again"
        )
    with reading(path, f"run the {stage} stage again"):
        known = json.loads(path.read_bytes())
        if not isinstance(known, dict) or not isinstance(known.get("files"), dict):
            raise ValueError("it is no note of a stage")
        return known


def not_finite(rows: np.ndarray) -> int | None:
    """The first of (n, …) rows that has a number which is not finite, or None. Whole numbers are.

    >>> not_finite(np.array([[0.0, 1.0], [np.nan, 1.0]])), not_finite(np.zeros((2, 2)))
    (1, None)
    """
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        good = np.isfinite(part).all(axis=tuple(range(1, part.ndim)))
        if not good.all():
            return start + int(np.argmin(good))
    return None

"""Retrieval embeddings of pictures and texts: sources, towers, losses, training, metrics, pictures of results.

Arrays and tensors in, arrays and tensors out; nothing here reads params.yaml or knows DVC, Snakemake or MLflow.
`kith.load` opens a trained run.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from kith.trained import TrainedRun

__all__ = ["load"]


def load(folder: "str | Path", data: "str | Path | None" = None) -> "TrainedRun":
    """The trained run in `folder`, runs/<study>/<method>-<seed>, ready to embed and to be searched.

    data: the folder of its prepared data, for searching; default: data/<study>/prepared beside runs/. The model is on
    the GPU, if there is one. Raises KithError where the folder holds no model that can be read.

    >>> import kith
    >>> run = kith.load("runs/glyphs/infonce-0")  # doctest: +SKIP
    >>> run.embed_texts(["greek small letter alpha"]).shape  # doctest: +SKIP
    (1, 128)
    >>> run.search(text="greek small letter alpha", count=1)[0]["label"]  # doctest: +SKIP
    'Greek/lowercase'
    """
    from pathlib import Path

    from kith.trained import TrainedRun

    return TrainedRun(Path(folder), None if data is None else Path(data))

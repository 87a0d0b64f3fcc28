"""A trained run as a function of batches, for programs that share out a table among many machines: Ray Data, Spark."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kith.errors import KithError
from kith.trained import TrainedRun

COLUMNS = {"image": "image_vector", "text": "text_vector"}


class BatchEmbedder:
    """Embeds the columns of a batch, and hands the others on, so that each vector stands beside the id of its row.

    run: folder of a trained run, which every machine can read; image, text: the columns to embed, of what
    `TrainedRun.embed_images` and `embed_texts` take. The model is loaded with the first batch, where that is: what is
    sent to other processes is these names alone.

    >>> ray.data.read_parquet("items/").map_batches(  # doctest: +SKIP
    ...     BatchEmbedder, fn_constructor_args=("runs/glyphs/infonce-0",), fn_constructor_kwargs={"text": "title"}
    ... ).write_parquet("vectors/")
    """

    def __init__(self, run: Path | str, *, image: str | None = None, text: str | None = None):
        self.folder, self.columns = Path(run), {"image": image, "text": text}
        self._run: TrainedRun | None = None
        if image is None and text is None:
            raise KithError("name a column to embed: image=…, text=…, or both")

    def __call__(self, batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The columns (n, …) of `batch`, and of each that was named its vectors: image_vector or text_vector, (n, dim)
        float32 unit rows. Raises KithError for a column that is not there, or has its name already."""
        if self._run is None:
            self._run = TrainedRun(self.folder)
        embed = {"image": self._run.embed_images, "text": self._run.embed_texts}
        found = dict(batch)
        for side, column in self.columns.items():
            if column is None:
                continue
            if column not in batch or COLUMNS[side] in batch:
                missing = f"no column {column}" if column not in batch else f"a column {COLUMNS[side]} already"
                raise KithError(f"the batch has {missing} (there: {', '.join(batch)})")
            found[COLUMNS[side]] = embed[side](batch[column].tolist())
        return found

    def __getstate__(self) -> dict[str, object]:
        return vars(self) | {"_run": None}

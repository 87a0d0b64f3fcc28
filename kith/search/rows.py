"""The rows that a model embeds for a search, each known by what is in it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from kith.models import DualEncoder
from kith.rows.shapes import alone, batches
from kith.rows.sources import Encoded, keys_of_input, pillow
from kith.store.inputs import ModalityInput, PhotoInput, TokenInput

BATCH = 64


class EmbeddedRows:
    """Rows `rows` of an input of pictures, texts or features, as one side of a model embeds them. Their
    numbers here are places in `rows`."""

    def __init__(self, model: DualEncoder, side: str, inputs: ModalityInput, rows: np.ndarray):
        self.model, self.side, self.inputs, self.rows = model, side, inputs, rows

    def __len__(self) -> int:
        return len(self.rows)

    def keys(self) -> np.ndarray:
        """(n,) the SHA-256 of what is in each row."""
        return keys_of_input(self.inputs, self.rows)

    def told(self) -> dict[str, Any]:
        """What decides the vectors besides the rows and the model."""
        photos = isinstance(self.inputs, PhotoInput)
        return {"rows": type(self.inputs).__name__, "torch": torch.__version__, "pillow": pillow() if photos else None}

    def alone(self) -> bool:
        """Whether the model gives these rows the same bits whatever stands beside them; texts of one length."""
        every = np.arange(len(self))
        some = every if (lengths := self._lengths(every)) is None else every[lengths == lengths[0]]
        some = np.resize(some[:BATCH], BATCH)
        return alone(lambda order: self._vectors(some[order]), BATCH)

    def encode(self, rows: np.ndarray) -> Iterator[Encoded]:
        """Batches of `rows`, and their vectors (b, …) float32. Texts of a batch are of one length: recurrent networks
        compute, at the end of longer ones, for fewer rows at a time."""
        lengths = self._lengths(rows)
        for part in [rows] if lengths is None else [rows[lengths == length] for length in np.unique(lengths)]:
            for batch, count in batches(part, BATCH):
                yield batch[:count], self._vectors(batch)[:count]

    def _lengths(self, rows: np.ndarray) -> np.ndarray | None:
        """(n,) how many tokens these texts have; None where they are no tokens."""
        return self.inputs.lengths[self.rows[rows]] if isinstance(self.inputs, TokenInput) else None

    @torch.no_grad()
    def _vectors(self, rows: np.ndarray) -> np.ndarray:
        given = [each.to(self.model.device) for each in self.inputs.take(self.rows[rows])]
        if self.side == "image":
            return self.model.embed_images(self.model.prepare(*given)).float().cpu().numpy()
        return self.model.embed_texts(*given).float().cpu().numpy()


class KnownRows:
    """Vectors in memory, in the place of `kith.rows.kept.KeptRows`: keys (n,), in which one may come several times."""

    def __init__(self, keys: np.ndarray, vectors: np.ndarray):
        self.keys, first = np.unique(keys, return_index=True)
        self.vectors = vectors[first]

    def found(self, keys: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Places in `keys` (m,), all different, and the vectors that are known of them."""
        _, places, at = np.intersect1d(keys, self.keys, assume_unique=True, return_indices=True)
        if len(places):
            yield places, self.vectors[at]

    def keep(self, keys: np.ndarray, vectors: np.ndarray) -> None:
        """Nothing: they are kept together with the others."""

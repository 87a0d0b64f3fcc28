"""A trained run in the hands of a program: texts and pictures in, vectors or the nearest items out."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from kith import models
from kith.data.loader import Unusable
from kith.errors import KithError
from kith.inference.predict import predict_images, predict_texts
from kith.inference.raw import RawInputs
from kith.search.query import Query, answer
from kith.search.run import Run
from kith.store.prepared import Prepared, data_of

BATCH = 256
CALLED = {"image": "picture", "text": "text"}


class TrainedRun:
    """What `kith.load` gives: a trained run, ready to embed and to be searched.

    folder: of the run; data: of its prepared data, for searching. name: of the folder; model: the network, in
    evaluation mode; dim: of its vectors. Raises KithError where the folder holds no model that can be read.

    >>> run = TrainedRun(Path("runs/glyphs/infonce-0"))  # doctest: +SKIP
    >>> run.embed_texts(["greek small letter alpha"]).shape  # doctest: +SKIP
    (1, 128)
    """

    def __init__(self, folder: Path, data: Path | None = None):
        self.folder, self.name = folder, folder.resolve().name
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model, vocabulary, saved = models.load(folder / "model.pt", device)
        self._raw, self._data = RawInputs(self.model.config, vocabulary, saved["max_tokens"]), data

    @property
    def dim(self) -> int:
        return self.model.dim

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """(n, dim) float32 unit rows of n texts. Raises KithError for a run that knows no texts, or features alone."""
        if self.model.config["text"] is None or self._raw.takes_features("text"):
            raise KithError(f"{self.name}: was trained without texts; embed pictures with it")
        if isinstance(texts, str):
            raise KithError("embed_texts takes a list of texts, not one: [text]")
        return self._embedded("text", texts)

    def embed_images(self, images: Sequence[Any]) -> np.ndarray:
        """(n, dim) float32 unit rows of n pictures: paths, encoded bytes, PIL images or uint8 (H, W, 3) arrays.

        Raises KithError that names the first picture that cannot be read, counted from 0, and for a run that was
        trained on features.
        """
        if self._raw.takes_features("image"):
            raise KithError(f"{self.name}: was trained on features, not on pictures")
        return self._embedded("image", [_cell(each) for each in images])

    def search(
        self,
        *,
        text: str | None = None,
        image: Path | str | bytes | None = None,
        item: str | None = None,
        count: int = 10,
        side: str | None = None,
    ) -> list[dict[str, Any]]:
        """The `count` nearest items of the prepared data to a text, a picture (path or bytes) or an item (its id).

        side: whether items are compared by their "image" or "text"; default: pictures where there are any. Each result
        has rank, similarity, row, id, split, label and texts. Raises KithError unless just one of the three is given.
        """
        content = Path(image).read_bytes() if isinstance(image, str | Path) else image
        asked = Query(text=text, image=content, item=item, side=side, count=count)
        return answer(self._searchable, asked)["results"]

    @cached_property
    def _searchable(self) -> Run:
        return Run(self.folder, Prepared(self._data or data_of(self.folder)))

    def _embedded(self, side: str, cells: Sequence[Any]) -> np.ndarray:
        parts = [np.zeros((0, self.dim), np.float32)]
        read = self._raw.reader(side)
        for start in range(0, len(cells), BATCH):
            values = [read(cell) for cell in cells[start : start + BATCH]]
            for number, value in enumerate(values, start):
                if isinstance(value, Unusable):
                    raise KithError(f"{CALLED[side]} {number}: {value.message}")
            arrays = self._raw.arrays(side, values)
            found = predict_texts(self.model, *arrays) if side == "text" else predict_images(self.model, arrays[0])
            parts.append(found["vector"])
        return np.concatenate(parts)


def _cell(image: Any) -> Any:
    """A picture as `RawInputs` reads one."""
    if isinstance(image, Image.Image):
        return np.asarray(image.convert("RGB"))
    return str(image) if isinstance(image, Path) else image

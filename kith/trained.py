"""A trained run in the hands of a program: texts and pictures in, vectors or the nearest items out."""

import io
from collections.abc import Iterable, Sequence
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
from kith.store.run import existing

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
        self.folder, self.name = existing(folder).absolute(), folder.resolve().name
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model, vocabulary, saved = models.load(folder / "model.pt", device)
        self._raw, self._data = RawInputs(self.model.config, vocabulary, saved["max_tokens"]), data

    @property
    def dim(self) -> int:
        return self.model.dim

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """(n, dim) float32 unit rows of n texts, or (n, K, dim) of a run with K vectors an item. Raises KithError for a
        run that knows no texts, or features alone."""
        if not self._raw.reads_texts and (self.model.config["text"] is None or self._raw.takes_features("text")):
            raise KithError(f"{self.name}: was trained without texts; embed pictures with it")
        if isinstance(texts, str) or not isinstance(texts, Iterable):
            raise KithError("embed_texts takes a list of texts, not one: [text]")
        cells = list(texts)
        for number, cell in enumerate(cells):
            if not isinstance(cell, str):
                raise KithError(f"text {number}: is of type {type(cell).__name__}; texts are strings")
        return self._embedded("image" if self._raw.reads_texts else "text", cells)

    def embed_images(self, images: Sequence[Any]) -> np.ndarray:
        """(n, dim) float32 unit rows of n pictures: paths, encoded bytes, PIL images or uint8 (H, W, 3) arrays.

        Raises KithError that names the first picture that cannot be read, counted from 0, and for a run that was
        trained on features.
        """
        if self._raw.takes_features("image") or self._raw.reads_texts:
            what = "texts" if self._raw.reads_texts else "features"
            raise KithError(f"{self.name}: was trained on {what}, not on pictures")
        alone = isinstance(images, str | bytes | Path | Image.Image) or not isinstance(images, Iterable)
        if alone or (isinstance(images, np.ndarray) and images.ndim < 4):
            raise KithError("embed_images takes a list of pictures, not one: [picture]")
        return self._embedded("image", list(images))

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
        if text is not None and not isinstance(text, str):
            raise KithError(f"text: is of type {type(text).__name__}; a search takes a string")
        content = None if image is None else _encoded(image)
        asked = Query(text=text, image=content, item=item, side=side, count=count)
        return answer(self._searchable, asked)["results"]

    @cached_property
    def _searchable(self) -> Run:
        return Run(self.folder, Prepared(self._data or data_of(self.folder)))

    def _embedded(self, side: str, cells: Sequence[Any]) -> np.ndarray:
        parts = [np.zeros((0, *self.model.shape), np.float32)]
        read = self._raw.reader(side)
        for start in range(0, len(cells), BATCH):
            values = [read(_cell(cell, number)) for number, cell in enumerate(cells[start : start + BATCH], start)]
            for number, value in enumerate(values, start):
                if isinstance(value, Unusable):
                    raise KithError(f"{CALLED[side]} {number}: {value.message}")
            arrays = self._raw.arrays(side, values)
            found = predict_texts(self.model, *arrays) if side == "text" else predict_images(self.model, arrays[0])
            parts.append(found["vector"])
        return np.concatenate(parts)


def _cell(given: Any, number: int) -> Any:
    """A text as it is; a picture as `RawInputs` reads one: a path, or encoded."""
    if isinstance(given, Path):
        return str(given)
    image = given
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or 0 in image.shape:
            shape = "×".join(map(str, image.shape))
            raise KithError(f"picture {number}: is an array of {image.dtype}, {shape}; pictures are uint8, H×W×3")
        image = Image.fromarray(image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image)
    return _as_file(image) if isinstance(image, Image.Image) else image


def _as_file(image: Image.Image) -> bytes:
    """Encoded without loss, so that it goes the way of all pictures: turned as EXIF says, on white, to 8 bits."""
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I", "F"):
        image = image.convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, "TIFF" if image.mode in ("I", "F") else "PNG", exif=image.getexif())
    return buffer.getvalue()


def _encoded(image: Any) -> bytes:
    """A picture to search by, from a path, a PIL image, or encoded already."""
    if isinstance(image, Image.Image):
        return _as_file(image)
    if not isinstance(image, str | Path | bytes):
        raise KithError(f"image: is of type {type(image).__name__}; a search takes a path, bytes or a PIL image")
    if isinstance(image, bytes):
        return image
    try:
        return Path(image).read_bytes()
    except OSError as error:
        raise KithError(f"{image}: cannot be opened ({error.strerror})") from None

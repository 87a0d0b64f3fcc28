"""The items of a search as a page or a terminal shows them: words, and encoded pictures."""

import io
from typing import Any

import numpy as np
from PIL import Image

from kith.errors import UnanswerableError
from kith.store.extras import columns_of, originals_of
from kith.store.photos import Photos, pictures
from kith.store.prepared import Prepared


class ShownItems:
    """The items of prepared data; those of features have no pictures. columns: other columns of a table, as texts."""

    def __init__(self, data: Prepared):
        self.data, self._pictures = data, pictures(data)
        self.columns, self._originals = columns_of(data), originals_of(data)
        named = [name for name in ("id", "split", "label_name", "labels", "texts") if name in data.table]
        self._cells = {name: data.table[name].array for name in named}
        self._extras = {str(name): self.columns[name].array for name in self.columns}
        self._image_row = data.table["image_row"].to_numpy()

    @property
    def grey(self) -> bool:
        """Whether the pictures are grey."""
        return self._pictures is not None and self._pictures.shape[-1] == 1

    @property
    def brightness(self) -> float:
        """Mean of the training pictures, 0…1."""
        return float(np.mean(self.data.dataset.get("mean") or 0.5))

    @property
    def has_black_bars(self) -> bool:
        """Whether pictures in the array were brought to squares by bars of black."""
        image = self.data.dataset.get("image") or {}
        return image.get("fit") == "pad" and image.get("fill") is None

    def describe(self, row: int) -> dict[str, Any]:
        """Id, split, label, texts and other columns of an item."""
        # Column by column: a row of the table would be made anew each time, which takes a millisecond.
        cells = {name: column[row] for name, column in self._cells.items()}
        label = ", ".join(cells["labels"]) if "labels" in cells else cells["label_name"]
        told = {"id": cells["id"], "split": cells["split"], "label": label}
        told["texts"] = [str(text) for text in cells["texts"]]
        values = {name: column[row] for name, column in self._extras.items()}
        return told | {"columns": {name: value for name, value in values.items() if value}}

    def has_picture(self, row: int) -> bool:
        return self._pictures is not None and self._image_row[row] >= 0

    def place(self, row: int) -> int:
        """Where the picture of an item is among the pictures; UnanswerableError where it has none."""
        if not 0 <= row < len(self.data) or not self.has_picture(row):
            raise UnanswerableError(f"item {row} has no picture")
        return int(self._image_row[row])

    def encoded(self, row: int) -> bytes | None:
        """The picture of an item as it came or was stored, JPEG or PNG; None where only the model's pixels are kept.
        UnanswerableError where it has none."""
        place = self.place(row)
        photos = self._pictures if self._originals is None else self._originals
        return photos.encoded(place) if isinstance(photos, Photos) else None

    def pixels(self, row: int) -> np.ndarray:
        """(size, size, C) uint8, the picture of an item as a model sees it; UnanswerableError where it has none."""
        place = self.place(row)
        assert self._pictures is not None
        return np.asarray(self._pictures[place])

    def picture(self, row: int) -> bytes:
        """The picture of an item: as it came where that is kept, a photograph as it is stored, JPEG or PNG, others as
        PNG. UnanswerableError where it has none."""
        data = self.encoded(row)
        if data is not None:
            return data
        pixels = self.pixels(row)
        buffer = io.BytesIO()
        Image.fromarray(pixels[:, :, 0] if self.grey else pixels).save(buffer, "PNG")
        return buffer.getvalue()

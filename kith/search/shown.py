"""The items of a search as a page or a terminal shows them: words, and encoded pictures."""

import io
from typing import Any

import numpy as np
from PIL import Image

from kith.errors import UnanswerableError
from kith.store.photos import Photos, pictures
from kith.store.prepared import Prepared


class ShownItems:
    """The items of prepared data; those of features have no pictures."""

    def __init__(self, data: Prepared):
        self.data, self._pictures = data, pictures(data)

    @property
    def grey(self) -> bool:
        """Whether the pictures are grey."""
        return self._pictures is not None and self._pictures.shape[-1] == 1

    @property
    def brightness(self) -> float:
        """Mean of the training pictures, 0…1."""
        return float(np.mean(self.data.dataset.get("mean") or 0.5))

    def describe(self, row: int) -> dict[str, Any]:
        """Id, split, label and texts of an item."""
        item = self.data.table.iloc[row]
        return {
            "id": item["id"],
            "split": item["split"],
            "label": item["label_name"],
            "texts": [str(text) for text in item["texts"]],
        }

    def has_picture(self, row: int) -> bool:
        return self._pictures is not None and self.data.table["image_row"].iat[row] >= 0

    def picture(self, row: int) -> bytes:
        """The picture of an item: a photograph as it is stored, JPEG or PNG, others as PNG. UnanswerableError where
        it has none."""
        if not 0 <= row < len(self.data) or self._pictures is None or not self.has_picture(row):
            raise UnanswerableError(f"item {row} has no picture")
        place = int(self.data.table["image_row"].iat[row])
        if isinstance(self._pictures, Photos):
            return self._pictures.encoded(place)
        pixels = np.asarray(self._pictures[place])
        buffer = io.BytesIO()
        Image.fromarray(pixels[:, :, 0] if self.grey else pixels).save(buffer, "PNG")
        return buffer.getvalue()

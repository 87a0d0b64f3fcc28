"""The items of a search as a page or a terminal shows them: words, and pictures as PNG."""

import io
from typing import Any

import numpy as np
from PIL import Image

from kith.errors import KithError
from kith.store.prepared import Prepared


class ShownItems:
    """The items of prepared data; those of features have no pictures."""

    def __init__(self, data: Prepared):
        self.data = data

    @property
    def grey(self) -> bool:
        """Whether the pictures are grey."""
        return self.data.images is not None and self.data.images.shape[-1] == 1

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
        return self.data.images is not None and self.data.table["image_row"].iat[row] >= 0

    def png(self, row: int) -> bytes:
        """The picture of an item; KithError where it has none."""
        images = self.data.images
        if not 0 <= row < len(self.data) or images is None or not self.has_picture(row):
            raise KithError(f"item {row} has no picture")
        pixels = np.asarray(images[self.data.table["image_row"].iat[row]])
        buffer = io.BytesIO()
        Image.fromarray(pixels[:, :, 0] if self.grey else pixels).save(buffer, "PNG")
        return buffer.getvalue()

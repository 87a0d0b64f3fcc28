"""The prepared data as a search shows them: items, and their pictures as PNG."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from kith.errors import KithError
from kith.store.inputs import ArrayView, TokenView, View
from kith.text.tokens import Vocabulary

COLUMNS = ("id", "split", "label_name", "texts", "group", "image_row")


def data_of(run: Path) -> Path:
    """Where the pipeline puts the prepared data of a run: of runs/glyphs/infonce-0 in data/glyphs/prepared."""
    study = run.resolve().parent
    return study.parent.parent / "data" / study.name / "prepared"


class Prepared:
    """A folder of prepared data: items.parquet, dataset.json, and images.npy or features_{image,text}.npy.

    Raises KithError where one of the first two is missing, cannot be read, or lacks a column.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        table, description = folder / "items.parquet", folder / "dataset.json"
        for path in (description, table):
            if not path.exists():
                raise KithError(f"{path}: no such file; run the prepare stage, or name its folder: --data")
        try:
            self.table = pd.read_parquet(table)
            self.dataset: dict[str, Any] = json.loads(description.read_bytes())
        except ValueError as error:  # of JSON and of Parquet
            raise KithError(f"{folder}: cannot be read ({error}); run the prepare stage again") from None
        missing = [column for column in COLUMNS if column not in self.table]
        if missing:
            raise KithError(f"{table}: no column '{missing[0]}'; run the prepare stage again")
        self.checksum = hashlib.sha256(description.read_bytes()).hexdigest()
        self.groups = pd.factorize(self.table["group"])[0].astype(np.int64)
        self.images = self._array("images")
        self._rows = {name: row for row, name in enumerate(self.table["id"])}

    def __len__(self) -> int:
        return len(self.table)

    @property
    def grey(self) -> bool:
        return self.images is not None and self.images.shape[-1] == 1

    @property
    def brightness(self) -> float:
        """Mean of the training pictures, 0…1."""
        return float(np.mean(self.dataset.get("mean") or 0.5))

    def row(self, name: str) -> int:
        """The row of the item with this id; KithError where there is none."""
        if name not in self._rows:
            raise KithError(f"{self.folder / 'items.parquet'}: no item has the id '{name}'")
        return self._rows[name]

    def describe(self, row: int) -> dict[str, Any]:
        """Id, split, label and texts of an item."""
        item = self.table.iloc[row]
        return {
            "id": item["id"],
            "split": item["split"],
            "label": item["label_name"],
            "texts": [str(text) for text in item["texts"]],
        }

    def has_picture(self, row: int) -> bool:
        return self.images is not None and self.table["image_row"].iat[row] >= 0

    def png(self, row: int) -> bytes:
        """The picture of an item; KithError where it has none."""
        if not 0 <= row < len(self) or self.images is None or not self.has_picture(row):
            raise KithError(f"item {row} has no picture")
        pixels = np.asarray(self.images[self.table["image_row"].iat[row]])
        buffer = io.BytesIO()
        Image.fromarray(pixels[:, :, 0] if self.grey else pixels).save(buffer, "PNG")
        return buffer.getvalue()

    def image_view(self) -> ArrayView:
        """What the image side of a model takes: features where there are any, else pictures."""
        features = self._array("features_image")
        if features is not None:
            return ArrayView(features, np.arange(len(self)))
        if self.images is None:
            raise KithError(f"{self.folder}: neither images.npy nor features_image.npy; run the prepare stage again")
        return ArrayView(self.images, self.table["image_row"].to_numpy())

    def text_view(self, vocabulary: Vocabulary, max_tokens: int) -> View:
        """What the text side of a model takes: features where there are any, else texts as word numbers."""
        features = self._array("features_text")
        if features is not None:
            return ArrayView(features, np.arange(len(self)))
        start = np.concatenate([[0], np.cumsum(self.table["texts"].map(len).to_numpy(dtype=np.int64))])
        tokens, lengths = vocabulary.encode([text for texts in self.table["texts"] for text in texts], max_tokens)
        return TokenView(tokens, lengths, start)

    def _array(self, name: str) -> np.ndarray | None:
        path = self.folder / f"{name}.npy"
        return np.load(path, mmap_mode="r") if path.exists() else None

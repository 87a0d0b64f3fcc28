"""The prepared data: what the prepare stage leaves of any data set (docs/concepts.md, the data contract)."""

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kith.errors import KithError

COLUMNS = ("id", "split", "label", "label_name", "texts", "group", "image_row")


def data_of(run: Path) -> Path:
    """Where the pipeline puts the prepared data of a run: of runs/glyphs/infonce-0 in data/glyphs/prepared."""
    study = run.resolve().parent
    return study.parent.parent / "data" / study.name / "prepared"


class Prepared:
    """A folder of prepared data: items.parquet, dataset.json, and images.npy or features_{image,text}.npy.

    table: the items, one row each; dataset: the content of dataset.json; checksum: its SHA-256. As it holds those of
    the other files, it stands for all of them.
    Raises KithError where a file is missing or cannot be read, lacks a column, or is not the one of dataset.json.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        table, description = folder / "items.parquet", folder / "dataset.json"
        for path in (description, table):
            if not path.exists():
                raise KithError(f"{path}: no such file; run the prepare stage, or name its folder: --data")
        try:
            self.dataset: dict[str, Any] = json.loads(description.read_bytes())
            self.table = pd.read_parquet(table)
        except ValueError as error:  # of JSON and of Parquet
            raise KithError(f"{folder}: cannot be read ({error}); run the prepare stage again") from None
        missing = [column for column in COLUMNS if column not in self.table]
        if missing:
            raise KithError(f"{table}: no column '{missing[0]}'; run the prepare stage again")
        noted = self.dataset.get("checksums", {}).get(table.name)
        if noted is not None and hashlib.sha256(table.read_bytes()).hexdigest() != noted:
            raise KithError(f"{table}: is not the file that {description} describes; run the prepare stage again")
        self.checksum = hashlib.sha256(description.read_bytes()).hexdigest()

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def images(self) -> np.ndarray | None:
        """(N, H, W, C) uint8, memory-mapped; None for data of features. `image_row` says whose a row is."""
        return self._array("images", int(self.table["image_row"].max()) + 1)

    def features(self, side: str) -> np.ndarray | None:
        """(n_items, …) float32, memory-mapped, of the side "image" or "text"; None where it has none."""
        return self._array(f"features_{side}", len(self))

    @cached_property
    def taxonomy(self) -> pd.DataFrame:
        """parent, child and name: the edges of the taxonomy, none where there is no taxonomy."""
        return pd.read_parquet(self.folder / "taxonomy.parquet")

    @cached_property
    def groups(self) -> np.ndarray:
        """(n_items,) int64 group ids, equal for items that are the same thing."""
        return pd.factorize(self.table["group"])[0].astype(np.int64)

    @cached_property
    def texts(self) -> list[str]:
        """The texts of all items, one after another."""
        return [text for texts in self.table["texts"] for text in texts]

    @cached_property
    def text_start(self) -> np.ndarray:
        """(n_items + 1,) int64: the texts of item i are those from text_start[i] to text_start[i + 1]."""
        counts = self.table["texts"].map(len).to_numpy(dtype=np.int64)
        return np.concatenate([[0], np.cumsum(counts)])

    @cached_property
    def splits(self) -> np.ndarray:
        """(n_items,) str, the split of each item."""
        return self.table["split"].to_numpy()

    @property
    def held_out(self) -> list[str]:
        """Every split but the training one, val first."""
        return sorted(set(self.splits) - {"train"}, key=lambda split: (split != "val", split))

    def rows_of(self, *splits: str) -> np.ndarray:
        """Rows of the items in `splits`, ascending."""
        return np.flatnonzero(np.isin(self.splits.astype(str), splits))

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.table["id"])}

    def row(self, name: str) -> int:
        """The row of the item with this id; KithError where there is none."""
        if name not in self._rows:
            raise KithError(f"{self.folder / 'items.parquet'}: no item has the id '{name}'")
        return self._rows[name]

    def _array(self, name: str, fewest: int) -> np.ndarray | None:
        path = self.folder / f"{name}.npy"
        if not path.exists():
            return None
        array = np.load(path, mmap_mode="r")
        if len(array) < fewest:
            raise KithError(f"{path}: has {len(array)} rows, the items name {fewest}; run the prepare stage again")
        return array

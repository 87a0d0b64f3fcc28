"""The prepared data: what the prepare stage leaves of any data set (docs/concepts.md, the data contract)."""

import hashlib
import json
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kith.data.digests import sha256
from kith.errors import KithError, UnanswerableError, reading

AGAIN = "run the prepare stage again"
COLUMNS = ("id", "split", "label", "label_name", "texts", "group", "image_row")


def data_of(run: Path) -> Path:
    """Where the pipeline puts the prepared data of a run: of runs/glyphs/infonce-0 in data/glyphs/prepared.

    Storage may lie behind links: beside the path as it is written, or else beside what it links to.
    """
    written, linked = (
        study.parent.parent / "data" / study.name / "prepared"
        for study in (run.absolute().parent, run.resolve().parent)
    )
    return written if written.exists() or not linked.exists() else linked


class Prepared:
    """A folder of prepared data: items.parquet, dataset.json, and images.npy, photographs (see kith.store.photos) or
    features_{image,text}.npy.

    table: the items, one row each; dataset: the content of dataset.json; checksum: its SHA-256. As it holds those of
    the other files, it stands for all of them.
    Raises KithError where a file is missing or cannot be read, lacks a column, or is not the one of dataset.json.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        description = folder / "dataset.json"
        for path in (description, folder / "items.parquet"):
            if not path.is_file():
                raise KithError(f"{path}: no such file; run the prepare stage, or name its folder: --data")
        with reading(description, AGAIN):
            content = description.read_bytes()
            self.checksum = hashlib.sha256(content).hexdigest()
            self.dataset: dict[str, Any] = json.loads(content)
            self._noted = dict(self.dataset["checksums"])
        self.table = self._table("items.parquet", COLUMNS)

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def images(self) -> np.ndarray | None:
        """(N, H, W, C) uint8, memory-mapped; None for photographs and features. See `kith.store.photos.pictures`."""
        return self._array("images")

    @cache  # noqa: B019  # lives as long as its data are in use
    def features(self, side: str) -> np.ndarray | None:
        """(n_items, …) float32, memory-mapped, of the side "image" or "text"; None where it has none."""
        return self._array(f"features_{side}")

    @cached_property
    def taxonomy(self) -> pd.DataFrame:
        """parent, child and name: the edges of the taxonomy, none where there is no taxonomy."""
        return self._table("taxonomy.parquet", ("parent", "child", "name"))

    @cached_property
    def groups(self) -> np.ndarray:
        """(n_items,) int64 group ids, equal for items that are the same thing."""
        return pd.factorize(self.table["group"])[0].astype(np.int64)

    @cached_property
    def texts(self) -> list[str]:
        """The texts of all items, one after another."""
        return [text for texts in self.table["texts"] for text in texts]

    @cached_property
    def of_texts(self) -> bool:
        """Whether no item has a picture, or features: then the image side of a method is what an encoder of texts makes
        of each item's `document`."""
        return not (self.dataset.get("features") or (self.table["image_row"] >= 0).any())

    @cached_property
    def documents(self) -> list[str]:
        """The texts of each item as one, on a line each."""
        return ["\n".join(texts) for texts in self.table["texts"]]

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
        """The row of the item with this id; UnanswerableError where there is none."""
        if name not in self._rows:
            raise UnanswerableError(f"no item has the id '{name}', of the {len(self):,} of {self.dataset['name']}")
        return self._rows[name]

    def proved(self, name: str) -> Path:
        """The path of a file that dataset.json describes: those of other data would be other items' rows.

        Raises KithError where it is missing or another."""
        path = self.folder / name
        if not path.is_file():
            raise KithError(f"{path}: no such file; run the prepare stage again")
        if sha256(path) != self._noted.get(name):
            raise KithError(f"{path}: is not the file that dataset.json describes; run the prepare stage again")
        return path

    def _table(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        path = self.proved(name)
        with reading(path, AGAIN):
            table = pd.read_parquet(path)
        if missing := [column for column in columns if column not in table]:
            raise KithError(f"{path}: no column '{missing[0]}'; run the prepare stage again")
        return table

    def _array(self, name: str) -> np.ndarray | None:
        if not (self.folder / f"{name}.npy").exists() and f"{name}.npy" not in self._noted:
            return None
        path = self.proved(f"{name}.npy")
        with reading(path, AGAIN):
            return np.load(path, mmap_mode="r")

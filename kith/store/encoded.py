"""Features of frozen encoders: what the encode stage leaves, float16, a row a picture or text of the prepared data.

Where these have no pictures, a row of the image side is an item, of whose texts together it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kith.errors import KithError, reading
from kith.store.photos import pictures
from kith.store.prepared import Prepared
from kith.store.provenance import NOTE, not_finite, proved, read

FEATURES = {"image": "features_image.npy", "text": "features_text.npy"}


def encoded_sides(data: Prepared, image: Path | None, text: Path | None) -> dict[str, "Encoded"]:
    """What was encoded, by side; None: a side that was not."""
    folders = {"image": image, "text": text}
    return {side: Encoded(folder, data) for side, folder in folders.items() if folder is not None}


def encoded_beside(data: Prepared, name: str) -> Path:
    """Where the pipeline puts what the encoder `name` made of these data: data/glyphs/encoded/lite0."""
    return data.folder.parent / "encoded" / name


class Encoded:
    """A folder that the encode stage has written of these data; name: the encoder's, in the study.

    Raises KithError where there is none, or it is of other data.
    """

    def __init__(self, folder: Path, data: Prepared):
        self.folder, self.name, self._data = folder, folder.name, data
        known = read(folder / NOTE, "encode")
        self._references: dict[str, dict[str, Any]] = known.get("encoders", {})
        found = data.documents if data.of_texts else pictures(data)
        self._rows = {"image": None if found is None else len(found), "text": len(data.texts)}

    def reference(self, side: str) -> dict[str, Any]:
        """What a model notes of the encoder of this side, see kith.encoders.frozen.

        Raises KithError where this side was not encoded.
        """
        if side not in self._references:
            raise KithError(f"{self.folder}: the encoder {self.name} encoded no {side}s; run the encode stage again")
        return self._references[side] | {"called": self.name}

    def features(self, side: str) -> np.ndarray:
        """(rows, width) float16, memory-mapped: of each row of the pictures, or of each text. Raises KithError."""
        self.reference(side)
        path = self.folder / FEATURES[side]
        proved(self.folder / NOTE, [path], "encode", data=self._data)
        with reading(path, "run the encode stage again"):
            found = np.load(path, mmap_mode="r")
        if len(found) != self._rows[side]:
            raise KithError(f"{path}: {len(found)} rows for {self._rows[side]} {side}s; run the encode stage again")
        if (row := not_finite(found)) is not None:
            raise KithError(f"{path}: row {row} is not finite; mend the {side} or the encoder, and run encode again")
        return found


def prove_encoded(encoded: Mapping[str, Encoded], config: Mapping[str, Any]) -> None:
    """Raise KithError unless the features are those of the encoders that a model with this `config` was trained on."""
    for side in FEATURES:
        if config[side] is None:
            continue  # a method of pictures alone, beside others that read the texts
        known = config[side].get("encoder")
        given = encoded[side].reference(side) if side in encoded else None
        wanted = ("sha256", "preprocessing")
        if [(known or {}).get(name) for name in wanted] != [(given or {}).get(name) for name in wanted]:
            there = "none was given" if given is None else f"{encoded[side].folder} holds others"
            asked = "features of no encoder" if known is None else f"features of {known['name']}"
            raise KithError(f"the model was trained on {asked} for its {side} side, and {there}; run the stages again")

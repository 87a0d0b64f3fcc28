"""Getting the picture out of what a source has: encoded bytes, the path of a file, or colours."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kith.data.images import UndecodableImage, decode, fitted


class Unusable(NamedTuple):
    """Why a cell gives no picture: a kind of problem, and a message."""

    kind: str
    message: str


@dataclass(frozen=True)
class Loader:
    """Loads pictures of one size, mode and fit (see images.decode); paths are relative to `root`."""

    root: Path
    size: int
    mode: str
    fit: str

    def __call__(self, cell: Any) -> np.ndarray | Unusable:
        """The picture, uint8 (size, size, C), of bytes, a path, a dict of either, {"bytes", "path"}, or of uint8
        colours (H, W, 3)."""
        if isinstance(cell, np.ndarray):
            return fitted(cell, self.size, self.mode, self.fit)
        if isinstance(cell, dict):
            cell = cell.get("bytes") or cell.get("path")
        if cell is None or cell == "":
            return Unusable("missing_image", "is empty")
        if not isinstance(cell, str | bytes):
            return Unusable("image", f"is of type {type(cell).__name__}; pictures are bytes or paths of files")
        try:
            data = cell if isinstance(cell, bytes) else (self.root / cell).read_bytes()
            return decode(data, self.size, self.mode, self.fit)
        except UndecodableImage as error:
            return Unusable("undecodable_image", f"cannot be decoded ({error})")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            return Unusable("missing_image", f"'{self.root / str(cell)}' cannot be opened ({reason})")

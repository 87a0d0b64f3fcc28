"""Getting the picture out of what a source has: encoded bytes, the path of a file, or colours."""

import os
import re
import stat
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kith.data.depths import Conversion
from kith.data.images import UndecodableImage, decode, fitted

ADDRESS = re.compile(r"\w{2,}://")


class Unusable(NamedTuple):
    """Why a cell gives no picture: a kind of problem, and a message."""

    kind: str
    message: str


@dataclass(frozen=True)
class Loader:
    """Loads pictures of one size, mode, fit and choices (see images.decode); paths are relative to `root`.

    within: the folders that files have to lie in, whatever their paths and links say; none: they may be anywhere.
    """

    root: Path
    size: int
    mode: str
    fit: str
    within: tuple[Path, ...] = field(default=(), kw_only=True)
    choices: Conversion = field(default=Conversion(), kw_only=True)

    def __call__(self, cell: Any) -> Any:
        """The picture, uint8 (size, size, C), of bytes, a path, a dict of either, {"bytes", "path"}, or of uint8
        colours (H, W, 3); Unusable where there is none."""
        if isinstance(cell, np.ndarray):
            return self.of_colours(cell)
        data = self.read(cell)
        if isinstance(data, Unusable):
            return data
        try:
            return self.of_bytes(data)
        except UndecodableImage as error:
            return Unusable("undecodable_image", f"cannot be decoded ({error})")

    def of_bytes(self, data: bytes) -> Any:
        return decode(data, self.size, self.mode, self.fit, self.choices)

    def of_colours(self, pixels: np.ndarray) -> Any:
        return fitted(pixels, self.size, self.mode, self.fit, self.choices)

    def read(self, cell: Any) -> bytes | Unusable:
        """The encoded picture of bytes, a path, or a dict of either."""
        if isinstance(cell, dict):
            cell = cell.get("bytes") or cell.get("path")
        if cell is None or cell == "" or cell != cell:  # NaN, which is not equal to itself
            return Unusable("missing_image", "is empty")
        if not isinstance(cell, str | bytes):
            return Unusable("image", f"is of type {type(cell).__name__}; pictures are bytes or paths of files")
        try:
            return cell if isinstance(cell, bytes) else self._content(self._path(cell))
        except _OutsideError:
            told = "lies outside of the folder of the pictures; name that as image_root, or allow it (outside)"
            return Unusable("image", f"'{shorten(str(cell), 300)}' {told}")
        except (OSError, ValueError) as error:
            reason, named = getattr(error, "strerror", None) or error, str(self.root / str(cell))
            if ADDRESS.match(str(cell)):
                local = str(cell).startswith("file://")
                advice = "write the path without file://" if local else "download it first"
                reason, named = f"an address, not a file; {advice}", str(cell)
            return Unusable("missing_image", f"'{shorten(named, 300)}' cannot be opened ({reason})")

    def file(self, cell: Any) -> Path | None:
        """The file that a cell names, be it there or not; None for encoded pictures, and for what is none."""
        if isinstance(cell, dict):
            cell = cell.get("bytes") or cell.get("path")
        return self._path(cell) if isinstance(cell, str) and cell else None

    def _content(self, path: Path) -> bytes:
        """The bytes of a file. Raises OSError, also for what is none: a pipe would be waited for without end."""
        if self.within and not ADDRESS.match(str(path)):
            self._refuse_outside(path)
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            raise OSError("a pipe or a device, not a file")
        return path.read_bytes()

    def _refuse_outside(self, path: Path) -> None:
        # Most paths have no link in their last part: then it is enough to look at each folder once.
        folder = _resolved(os.path.join(os.getcwd(), path.parent))
        last = path.is_symlink() or path.name in ("", "..")
        place = os.path.realpath(path) if last else os.path.join(folder, path.name)
        if not any(Path(place).is_relative_to(_resolved(os.path.join(os.getcwd(), each))) for each in self.within):
            raise _OutsideError

    def _path(self, cell: str) -> Path:
        """The file as the table writes it, or else with the separators of Windows read as such, without white space
        around it, or with its accents as another system writes them."""
        path = self.root / cell
        plain = cell.isascii() and "\\" not in cell and cell == cell.strip()
        if plain or os.path.exists(path):
            return path
        others = [self.root / each for each in _otherwise(cell)]
        return next(filter(os.path.exists, others), others[0])


def _otherwise(cell: str) -> list[str]:
    """How else a file may be called that a table names.

    >>> _otherwise("a\\\\b.png ")
    ['a/b.png ', 'a\\\\b.png', 'a/b.png']
    """
    parted = cell.replace("\\", "/")
    names = [parted, cell.strip(), parted.strip()]
    names += [unicodedata.normalize(form, parted.strip()) for form in ("NFC", "NFD")]
    return list(dict.fromkeys(names))


class _OutsideError(Exception):
    """A file lies where it may not."""


@lru_cache(maxsize=4096)
def _resolved(folder: str) -> str:
    """Where a folder is, by its absolute path, links followed."""
    return os.path.realpath(folder)


def shorten(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"

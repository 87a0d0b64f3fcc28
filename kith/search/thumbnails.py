"""Small pictures of items for a page: made once, and kept in one file beside the prepared data."""

import io
import logging
import sqlite3
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import Any

import numpy as np
from PIL import Image

from kith.data.depths import Conversion, filler
from kith.data.images import decode
from kith.search.shown import ShownItems

SIDE = 320  # pixels: sharp at twice the pixels of a tile
QUALITY = 84
MOST = 2 << 30  # bytes that are kept in the file
IN_MEMORY = 128 << 20  # or in memory, where no file can be written
AT_ONCE = 2  # pictures that are decoded: a page asks for dozens, and a long one may take 150 MB
LOSSLESS = 96  # pixels of a side up to which a picture that is no photograph stays as it is

log = logging.getLogger(__name__)


class Thumbnails:
    """Squares of at most SIDE pixels, the rest filled with the colour of the picture's own border.

    path: the file that they are kept in; None: only in memory. Safe to use from several threads, and the file from
    several processes. One of other data, or a damaged one, is made anew.
    """

    def __init__(self, items: ShownItems, path: Path | None):
        self._items, self._lock, self._bytes = items, Lock(), 0
        self._turns = BoundedSemaphore(AT_ONCE)
        self._made_of = f"{items.data.checksum} {SIDE} {QUALITY}"
        self._most, self._kept = MOST, self._opened(path)

    def of(self, row: int) -> bytes:
        """The thumbnail of an item, JPEG or PNG. Raises UnanswerableError where it has no picture."""
        place = self._items.place(row)
        with self._lock:
            # Another server may have begun the file anew, of newer data: then nothing is found in it, nor added.
            found = self._ask("SELECT data FROM thumbnails, made_of WHERE place = ? AND text = ?", place, self._made_of)
        if found:
            data: bytes = found[0][0]
            return data
        with self._turns:
            data = self._made(row)
        with self._lock:
            if self._bytes + len(data) > self._most:
                self._ask("DELETE FROM thumbnails")
                self._bytes = 0
            insert = "INSERT OR REPLACE INTO thumbnails SELECT ?, ? FROM made_of WHERE text = ?"
            self._ask(insert, place, data, self._made_of)
            self._bytes += len(data)
        return data

    def _made(self, row: int) -> bytes:
        encoded = self._items.encoded(row)
        if encoded is not None:
            grey = self._items.grey
            pixels = decode(encoded, SIDE, "L" if grey else "RGB", "pad", Conversion(fill="border"))
        else:
            pixels = self._items.pixels(row)
            pixels = without_black_bars(pixels) if self._items.has_black_bars else pixels
        picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        if max(picture.size) > SIDE:
            picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        if encoded is None and max(picture.size) <= LOSSLESS:
            picture.save(buffer, "PNG")
        else:
            picture.save(buffer, "JPEG", quality=QUALITY)
        return buffer.getvalue()

    def _opened(self, path: Path | None) -> sqlite3.Connection:
        if path is not None:
            for attempt in range(2):
                try:
                    return self._connected(str(path))
                except sqlite3.Error as error:
                    if attempt == 0 and not isinstance(error, sqlite3.OperationalError):  # it is damaged
                        path.unlink(missing_ok=True)
                        continue
                    log.warning("%s: thumbnails are kept in memory alone (%s)", path, error)
                    break
        self._most = IN_MEMORY
        return self._connected(":memory:")

    def _connected(self, name: str) -> sqlite3.Connection:
        kept = sqlite3.connect(name, timeout=2, check_same_thread=False, isolation_level=None)
        try:
            # What a crash loses is made again.
            kept.execute("PRAGMA synchronous = OFF")
            kept.execute("BEGIN IMMEDIATE")  # two servers may begin at once
            kept.execute("CREATE TABLE IF NOT EXISTS made_of (text TEXT)")
            if kept.execute("SELECT text FROM made_of").fetchall() != [(self._made_of,)]:
                kept.execute("DROP TABLE IF EXISTS thumbnails")
                kept.execute("DELETE FROM made_of")
                kept.execute("INSERT INTO made_of VALUES (?)", (self._made_of,))
            kept.execute("CREATE TABLE IF NOT EXISTS thumbnails (place INTEGER PRIMARY KEY, data BLOB)")
            kept.execute("COMMIT")
            self._bytes = kept.execute("SELECT COALESCE(SUM(LENGTH(data)), 0) FROM thumbnails").fetchone()[0]
        except sqlite3.Error:
            kept.close()
            raise
        return kept

    def _ask(self, statement: str, *values: int | bytes | str) -> list[tuple[bytes]]:
        """What the file says; nothing where it cannot be used now, as on a full disk."""
        try:
            return self._kept.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            log.warning("thumbnails: %s", error)
            return []


def without_black_bars(pixels: np.ndarray) -> np.ndarray:
    """A square (size, size, C) uint8 whose bars, above and below or left and right, have the colour of the border of
    the picture between them. One without such bars is as it was.

    >>> square = np.zeros((4, 4, 1), dtype=np.uint8)
    >>> square[1:3] = 200
    >>> without_black_bars(square)[0, 0, 0]
    np.uint8(200)
    """
    lit: Any = pixels.any(axis=2)
    for turned in (False, True):
        across = lit.any(axis=0 if turned else 1)
        first, last = int(across.argmax()), len(across) - int(across[::-1].argmax())
        other = lit.any(axis=1 if turned else 0)
        balanced = first > 0 and abs(first - (len(across) - last)) <= 1
        if across.any() and balanced and other[0] and other[-1]:
            view = pixels.swapaxes(0, 1) if turned else pixels
            inner = view[first:last]
            filled = np.empty_like(view)
            filled[:] = filler(inner[:, :, 0] if inner.shape[2] == 1 else inner, "border")
            filled[first:last] = inner
            return filled.swapaxes(0, 1) if turned else filled
    return pixels

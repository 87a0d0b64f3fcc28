"""The store of photographs as it is written: what is kept of a picture, in shards with an index (kith.data.shards)."""

import hashlib
import io
from array import array
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import ExifTags, Image

from kith.data.depths import PLAIN, Conversion
from kith.data.images import CHANNELS, converted, opened
from kith.data.loader import Loader
from kith.data.shards import INDEX, PLACE, SHARDS, Shard, places

QUALITY = 95
SMALL = 256 * 256  # pixels up to which a picture that was no JPEG stays without loss
SHARD = 256 << 20  # bytes of pictures in a file
BATCH = 4 << 20  # bytes that are kept until they are written together


def stored(data: bytes, short_side: int, mode: str, choices: Conversion = PLAIN) -> bytes:
    """An encoded picture as it is kept: upright, L or RGB, the short side at most `short_side`.

    A JPEG, or a PNG of at most SMALL pixels, that is so already is kept as it is. Others are made smaller and encoded
    in `mode`: as PNG where they were no JPEG and have at most SMALL pixels, else as JPEG of quality 95.
    Raises UndecodableImage as `images.decode` does, of what is kept as it is too.
    """
    with opened(data) as image:
        jpeg, fits = image.format in ("JPEG", "MPO"), image.mode in CHANNELS and min(image.size) <= short_side
        if image.format == "JPEG" and fits and _is_upright(image):
            image.draft(None, (1, 1))  # reads all of it, and makes an eighth: whether it is whole is known then
            image.load()
            return data
        scale = short_side / min(image.size)
        image.draft(None, (round(2 * scale * image.width), round(2 * scale * image.height)))
        picture = converted(image, mode, choices)
        small = image.width * image.height <= SMALL
        if image.format == "PNG" and fits and small and _is_upright(image) and not image.has_transparency_data:
            return data
        return _encoded(picture, short_side, jpeg)


def _is_upright(image: Image.Image) -> bool:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1) not in range(2, 9)
    except Exception:  # as in images: broken EXIF turns nothing
        return True


def _encoded(picture: Image.Image, short_side: int, lossy: bool) -> bytes:
    scale = short_side / min(picture.size)
    if scale < 1:
        size = round(scale * picture.width), round(scale * picture.height)
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    if lossy or picture.width * picture.height > SMALL:
        picture.save(buffer, "JPEG", quality=QUALITY)
    else:
        picture.save(buffer, "PNG")
    return buffer.getvalue()


@dataclass(frozen=True)
class PhotoLoader(Loader):
    """Brings pictures as `stored` keeps them; size: the short side that they have at most."""

    def of_bytes(self, data: bytes) -> bytes:
        return stored(data, self.size, self.mode, self.choices)

    def of_colours(self, pixels: np.ndarray) -> bytes:
        drawn = pixels[..., 0] if pixels.shape[2] == 1 else pixels
        return _encoded(Image.fromarray(drawn).convert(self.mode), self.size, False)


class PhotoWriter:
    """Appends encoded pictures to shards in `folder`, each with about `shard` bytes of them, and then writes the index.

    Pictures that are there already are not stored again. size, mode: of pictures as methods see them; short_side: of
    what is stored, at most. The bytes of all files depend on the pictures and their order alone. Use it as a context
    manager: without the index, which comes last, shards are of no use.
    """

    def __init__(
        self, folder: Path, size: int, mode: str, short_side: int, shard: int = SHARD, choices: Conversion = PLAIN
    ) -> None:
        self.folder, self.mode, self.shard, self.choices = folder, mode, shard, choices
        self.shape = (size, size, CHANNELS[mode])
        self.short_side, self.count = short_side, 0
        self._rows: dict[bytes, int] = {}
        self._waiting: list[bytes] = []
        self._bytes = 0  # of those that wait
        self._places = array("q")  # shard, offset and bytes of each picture, one after another
        self._open: Shard | None = None
        self._shards = 0

    def __enter__(self) -> "PhotoWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is None:
            self._write()
            self._finish()
            self._write_index()
        elif self._open is not None:
            self._open.close()

    def loader(self, root: Path, fit: str) -> Loader:
        """Brings pictures that can be appended; how they fit into a square is decided when they are read."""
        return PhotoLoader(root, self.short_side, self.mode, fit, choices=self.choices)

    def append(self, picture: bytes | np.ndarray) -> int:
        """The row of an encoded picture, or of a drawn one (H, W, C) uint8, which is written unless an equal one
        was."""
        data = picture if isinstance(picture, bytes) else self.loader(self.folder, "pad").of_colours(picture)
        row = self._rows.setdefault(hashlib.sha256(data).digest(), self.count)
        if row == self.count:
            self._waiting.append(data)
            self._bytes += len(data)
            self.count += 1
            if self._bytes >= min(BATCH, self.shard):
                self._write()
        return row

    def _write(self) -> None:
        """Write the pictures that wait into a shard, and close it if it is full."""
        if not self._waiting:
            return
        if self._open is None:
            self._open = Shard(self.folder / SHARDS.format(self._shards))
        self._open.write(self._waiting)
        self._waiting, self._bytes = [], 0
        if self._open.bytes >= self.shard:
            self._finish()

    def _finish(self) -> None:
        """Close the shard, and note where its pictures lie."""
        if self._open is None:
            return
        self._open.close()
        for offset, length in places(self._open.path):
            self._places.extend((self._shards, offset, length))
        self._open = None
        self._shards += 1

    def _write_index(self) -> None:
        index = np.empty(self.count, dtype=PLACE)
        found = np.array(self._places, dtype=np.int64).reshape(-1, 3)
        for column, name in enumerate(("shard", "offset", "bytes")):
            index[name] = found[:, column]
        index["sha256"] = np.frombuffer(b"".join(self._rows), dtype="V32")  # in the order of rows
        np.save(self.folder / INDEX, index, allow_pickle=False)

"""Grey pictures of more than 8 bits: which values stand for white, and what was seen of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

import numpy as np

# The largest value is 2^bits - 1, or of floats 1 (unit); None: 16 bits, of floats 0…1 where a picture has none above.
Bits = int | Literal["unit"] | None
# Black where None, "white", "border" (the middle of the picture's own border) or red, green and blue.
Fill = str | tuple[int, int, int] | None
DECODED = ("fit", "fill", "bits")
USUAL = (8, 10, 12, 14)  # bits of cameras and scanners that are stored in 16


class Depths:
    """What was seen of deep greys, over all pictures; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._whole = self._floats = self._unit = self._negative = 0
        self._largest = 0.0

    def note(self, floats: bool, largest: float, least: float = 0) -> None:
        """One picture, of floats or of whole numbers, and its largest and its least value."""
        with self._lock:
            self._negative += least < 0
            if floats:
                self._floats += 1
                self._unit += largest <= 1
            else:
                self._whole += 1
                self._largest = max(self._largest, largest)

    @property
    def likely(self) -> int | None:
        """Bits that pictures of 16 are likely to use, where these are fewer."""
        bits = int(self._largest).bit_length()
        return next((usual for usual in USUAL if bits <= usual), None) if self._whole else None

    def remarks(self, bits: Bits) -> list[str]:
        """What was taken for what; bits: what was said to be.

        >>> depths = Depths()
        >>> depths.note(False, 4000)
        >>> depths.remarks(None)[0].split(";")[0]
        '1 pictures have greys of 16 bits, none above 4,000'
        """
        lines = []
        if self._whole and (bits is None or bits == "unit"):
            lines.append(f"{self._whole:,} pictures have greys of 16 bits, none above {self._largest:,.0f}; ")
            few = f"as such they are dark: if they use {self.likely}, give prepare.image.bits: {self.likely}"
            lines[-1] += few if self.likely else "their upper 8 bits are taken"
        elif self._whole and isinstance(bits, int) and self._largest >= 2**bits:
            lines.append(f"greys above {2**bits - 1:,} (prepare.image.bits: {bits}) are white; there are some up to")
            lines[-1] += f" {self._largest:,.0f}"
        if bits is None and 0 < self._unit < self._floats:
            lines.append(
                f"of {self._floats:,} pictures of floats {self._unit:,} are within 0…1 and read so, the others as "
                "0…255; give prepare.image.bits: unit, or 8"
            )
        elif bits is None and self._floats:
            lines.append(f"{self._floats:,} pictures of floats are read as 0…{1 if self._unit else 255}")
        if self._negative:
            lines.append(
                f"{self._negative:,} pictures have values below 0, which are black; add to them what is missing"
            )
        return lines


@dataclass(frozen=True)
class Conversion:
    """How pictures are decoded beside size, mode and fit. seen: notes deep greys."""

    fill: Fill = None
    bits: Bits = None
    seen: Depths | None = None

    @classmethod
    def of(cls, pictures: Mapping[str, Any]) -> "Conversion":
        """Those that a description of pictures has (of dataset.json, or a model's config).

        >>> Conversion.of({"size": 8, "fill": [255, 255, 0]}).fill
        (255, 255, 0)
        """
        fill = pictures.get("fill")
        return cls(tuple(fill) if isinstance(fill, list | tuple) else fill, pictures.get("bits"))

    def told(self) -> dict[str, Any]:
        """What such a description says of them: nothing where they are as ever."""
        fill = list(self.fill) if isinstance(self.fill, tuple) else self.fill
        return {name: value for name, value in (("fill", fill), ("bits", self.bits)) if value is not None}


PLAIN = Conversion()


def decoded(pictures: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a description that says of pictures how they are decoded beside their size and mode.

    >>> decoded({"height": 8, "fit": "pad", "fill": "white"})
    {'fit': 'pad', 'fill': 'white'}
    """
    return {name: pictures[name] for name in DECODED if name in pictures}


def eight_bits(values: np.ndarray, floats: bool, deep: bool, bits: Bits) -> np.ndarray:
    """Greys as uint8: by their upper bits, floats from 0 to the largest. deep: whether whole numbers are of 16 bits.

    >>> eight_bits(np.array([0, 16, 4095]), floats=False, deep=True, bits=12).tolist()
    [0, 1, 255]
    """
    values = np.nan_to_num(values.astype(np.float64))
    if floats:
        unit = bits == "unit" or (bits is None and values.max() <= 1)
        most = 1 if unit else 255 if bits is None else 2.0 ** int(bits) - 1
        values = values * (255.0 / most)
    elif isinstance(bits, int):
        values = values // 2 ** (bits - 8)
    elif deep or values.max() > 255:
        values = values // 256
    return values.clip(0, 255).astype(np.uint8)


def filler(pixels: np.ndarray, fill: Fill) -> Any:
    """The colour of pads, as Pillow takes it, for a picture (H, W) or (H, W, 3) uint8.

    >>> filler(np.full((2, 3), 7, dtype=np.uint8), "border"), filler(np.zeros((2, 3)), (255, 0, 0))
    (7, 76)
    """
    if fill == "border":
        edges = [pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]
        middle = np.median(np.concatenate(edges), axis=0).astype(int)
        return int(middle) if pixels.ndim == 2 else tuple(middle.tolist())
    red, green, blue = fill if isinstance(fill, tuple) else (255, 255, 255) if fill == "white" else (0, 0, 0)
    # Grey as Pillow makes it of colours.
    grey = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return grey if pixels.ndim == 2 else (red, green, blue)

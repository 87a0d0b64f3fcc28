"""Decoding pictures: any encoded bytes to one size and mode."""

import io
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from kith.data.depths import PLAIN, Conversion, Fill, eight_bits, filler
from kith.errors import KithError

# What Pillow warns of is either harmless (EXIF it cannot read) or refused below; it names no file.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

CHANNELS = {"L": 1, "RGB": 3}
# Pillow also knows formats that start other programs (EPS), or hold no picture of pixels.
FORMATS = (
    *("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000"),
    *("PPM", "TGA", "ICO", "PCX", "DDS", "SGI"),
)

LONGEST = 65_500  # pixels of a side, at most: JPEG has no more, and a strip takes long to be brought to a square

DEEPEST = 16  # bits of greys

# Of the pixels that a part of a JPEG needs: for the last few the whole would be decoded at twice the size.
ENOUGH = 0.95

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


class UndecodableImage(KithError):
    """The bytes are not a picture that can be read; the message says why."""


def decode(data: bytes, size: int, mode: str = "RGB", fit: str = "pad", choices: Conversion = PLAIN) -> np.ndarray:
    """Decode `data` (JPEG, PNG, WebP, GIF, TIFF, BMP …) to uint8 (size, size, C), C = 1 for L, 3 for RGB.

    EXIF orientation is applied, transparency is laid onto white, 16-bit and float greys are brought to
    8 bits, and of an animation the first frame is taken. `fit`: "pad" keeps the whole picture and adds
    bars, "crop" keeps the middle square, "stretch" ignores the aspect ratio. `choices`: the colour of bars, by default
    black, and the depth of greys.

    Raises UndecodableImage for broken or unknown data, and for more than PIL.Image.MAX_IMAGE_PIXELS pixels, or LONGEST
    on a side.
    """
    with opened(data) as image:
        # JPEG can be decoded at a fraction of its size, which is several times faster for photographs.
        image.draft(None, (2 * size, 2 * size))
        picture = converted(image, mode, choices)
        return _brought(picture, size, fit, choices)


def decode_part(data: bytes, side: int, part: Callable[[int, int], Box], mode: str = "RGB") -> np.ndarray:
    """Decode a rectangle of an upright picture to uint8 (side, side, C), no finer than that needs.

    part: (width, height) of the picture to the rectangle. Raises UndecodableImage as `decode` does.
    """
    with opened(data) as image:
        width, height = image.size
        box = part(width, height)
        across, down = ENOUGH * side / (box[2] - box[0]), ENOUGH * side / (box[3] - box[1])
        image.draft(None, (math.ceil(width * across), math.ceil(height * down)))
        picture = converted(image, mode)
        x, y = picture.width / width, picture.height / height
        return cut(picture, side, (box[0] * x, box[1] * y, box[2] * x, box[3] * y))


def cut(picture: Image.Image | np.ndarray, side: int, box: Box) -> np.ndarray:
    """A rectangle of a picture of the mode L or RGB, or of its pixels (H, W, C), brought to uint8 (side, side, C).

    >>> cut(np.zeros((2, 4, 1), dtype=np.uint8), 2, (1, 0, 3, 2)).shape
    (2, 2, 1)
    """
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
    pixels = np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC, box=box))
    return pixels.reshape(side, side, CHANNELS[picture.mode])


@cache
def formats() -> tuple[str, ...]:
    """Those of FORMATS that the installed Pillow reads: the one list for preparing, embedding and searching."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@contextmanager
def opened(data: bytes) -> Iterator[Image.Image]:
    """The picture in `data`, of which the head alone is read. Whatever goes wrong in the block is an
    UndecodableImage."""
    try:
        with Image.open(io.BytesIO(data), formats=formats()) as image:
            _refuse_bomb(image)
            yield image
    except UndecodableImage:
        raise
    except Image.DecompressionBombError:
        raise UndecodableImage(
            f"more than twice the limit of {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller"
        ) from None
    except UnidentifiedImageError:
        raise UndecodableImage("not a known image format" if data else "empty file") from None
    except Exception as error:  # Pillow's decoders raise nearly anything on broken data
        raise UndecodableImage(_reason(error)) from None


def converted(image: Image.Image, mode: str, choices: Conversion = PLAIN) -> Image.Image:
    """Decoded, turned as EXIF says, transparency laid onto white, in a mode, L or RGB."""
    image = _eight_bits(_upright(image), choices)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert(mode)


def size(data: object) -> tuple[int, int] | None:
    """Width and height of a picture, of which the head alone is read; None for what is none."""
    try:
        with Image.open(io.BytesIO(data), formats=formats()) as image:  # type: ignore[arg-type]
            return image.size
    except Exception:  # as in decode
        return None


def fitted(
    pixels: np.ndarray, size: int, mode: str = "RGB", fit: str = "pad", choices: Conversion = PLAIN
) -> np.ndarray:
    """uint8 `pixels` (H, W, 3), colours that need no decoding, as uint8 (size, size, C); see `decode`."""
    if pixels.shape == (size, size, CHANNELS[mode]):
        return pixels
    return _brought(Image.fromarray(pixels).convert(mode), size, fit, choices)


def _brought(picture: Image.Image, size: int, fit: str, choices: Conversion) -> np.ndarray:
    """A picture of the mode L or RGB as a square, uint8 (size, size, C)."""
    square = _pad(picture, size, choices.fill) if fit == "pad" else _FITS[fit](picture, size)
    return np.asarray(square).reshape(size, size, CHANNELS[picture.mode])


def _upright(image: Image.Image) -> Image.Image:
    """Turned as EXIF says; as it is where EXIF is broken."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # as many kinds as there are ways to break EXIF; the pixels are good
        return image


def _refuse_bomb(image: Image.Image) -> None:
    limit, size = Image.MAX_IMAGE_PIXELS, f"{image.width}×{image.height} pixels"
    if limit and image.width * image.height > limit:
        raise UndecodableImage(f"{size}, more than the limit of {limit:,}; make it smaller")
    if max(image.size) > LONGEST:
        raise UndecodableImage(f"{size}, and a side has at most {LONGEST:,}; make it smaller")


def _reason(error: Exception) -> str:
    """Pillow's words, shorter where the fault is a common one."""
    text = str(error)
    return "truncated file" if "truncated" in text.lower() else text or type(error).__name__


def _eight_bits(image: Image.Image, choices: Conversion) -> Image.Image:
    """Deep greys and floats as `depths.eight_bits` has them: Pillow's own conversion would clip them."""
    if not image.mode.startswith(("I", "F")):
        return image
    values, floats, deep = np.asarray(image), image.mode == "F", image.mode.startswith("I;16")
    if floats and np.isnan(values).all():
        raise UndecodableImage("it has no numbers, NaN alone")
    least, largest = (float(each) for each in (np.nan_to_num(values).min(), np.nan_to_num(values).max()))
    if not floats and largest >= 1 << DEEPEST:
        raise UndecodableImage(
            f"values up to {largest:,.0f}, and greys have at most {DEEPEST} bits; save it with fewer"
        )
    if choices.seen is not None and (floats or deep or largest > 255 or least < 0):
        choices.seen.note(floats, largest, least)
    return Image.fromarray(eight_bits(values, floats, deep, choices.bits))


def _pad(image: Image.Image, size: int, fill: Fill) -> Image.Image:
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    square = Image.new(image.mode, (size, size), filler(np.asarray(image), fill) if fill else 0)
    corner = ((size - width) // 2, (size - height) // 2)
    square.paste(image.resize((width, height), Image.Resampling.BICUBIC), corner)
    return square


def _crop(image: Image.Image, size: int) -> Image.Image:
    return ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)


def _stretch(image: Image.Image, size: int) -> Image.Image:
    return image.resize((size, size), Image.Resampling.BICUBIC)


_FITS = {"crop": _crop, "stretch": _stretch}

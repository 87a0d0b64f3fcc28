"""Pictures from outside, as a model takes them: looked at before they are decoded."""

import io
import warnings

import numpy as np
from PIL import ExifTags, Image

from kith.data.images import LONGEST, UndecodableImage, formats
from kith.data.loader import Unusable
from kith.inference.raw import RawInputs

MAX_BYTES = 16 << 20
MAX_PIXELS = 50_000_000
DARK, LIGHT = 0.25, 0.75  # mean brightness below or above which grey pictures have a ground that is dark or light


def read(data: bytes, raw: RawInputs, brightness: float = 0.5, invert: bool | None = None) -> np.ndarray:
    """Decode an encoded picture for the model of `raw`: uint8 (size, size, channels).

    brightness: mean of the data set's pictures, 0…1.
    invert: whether light and dark are exchanged. None decides for grey pictures: if those of the data set are light
    on dark and this one is the other way round, or dark on light.

    Raises UndecodableImage (a KithError) for more than 16 MiB, 50 million pixels or 65,500 on a side, known from the
    header before anything is decoded, and for data that are no picture of `kith.data.images.FORMATS`.
    """
    width, height = _size(data)
    decoded = raw.reader("image")(data)
    if isinstance(decoded, Unusable):
        raise UndecodableImage(f"the picture {decoded.message}")
    pixels, image = np.array(decoded), raw.pictures  # a copy that can be written to
    inner = _inner(pixels, width, height) if image["fit"] == "pad" else pixels
    if invert is None:
        mean = float(inner.mean()) / 255
        other_way_round = (brightness < DARK and mean > 0.5) or (brightness > LIGHT and mean < 0.5)
        invert = image["channels"] == 1 and other_way_round
    if invert:
        inner[:] = 255 - inner
    return pixels


def _size(data: bytes) -> tuple[int, int]:
    """Width and height as the picture is seen, from its header."""
    if len(data) > MAX_BYTES:
        raise UndecodableImage(f"the picture has {len(data):,} bytes, more than the limit of {MAX_BYTES:,}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=formats()) as picture:
                width, height = picture.size
                turned = picture.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    except Image.DecompressionBombError:
        raise UndecodableImage(f"the picture has more than the limit of {MAX_PIXELS:,} pixels") from None
    except Exception:  # Pillow raises nearly anything on broken headers
        raise UndecodableImage(f"not a picture that can be read; formats are {', '.join(formats())}") from None
    if width * height > MAX_PIXELS:
        raise UndecodableImage(f"the picture has {width}×{height} pixels, more than the limit of {MAX_PIXELS:,}")
    if max(width, height) > LONGEST:
        raise UndecodableImage(f"the picture has {width}×{height} pixels; a side has at most {LONGEST:,}")
    return (height, width) if turned else (width, height)


def _inner(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """A view of `pixels` without the bars that bring a picture of width×height to a square."""
    size = len(pixels)
    across, down = (max(1, round(side * size / max(width, height))) for side in (width, height))
    left, top = (size - across) // 2, (size - down) // 2
    return pixels[top : top + down, left : left + across]

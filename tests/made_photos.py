"""Small made-up photographs: encoded, of several sizes and formats."""

import io

import numpy as np
from PIL import Image


def photograph(width: int, height: int, seed: int = 0, mode: str = "RGB") -> Image.Image:
    """Smooth colours, as a photograph has them."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def encode(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(width: int = 40, height: int = 30, seed: int = 0, **options) -> bytes:
    return encode(photograph(width, height, seed), **options)


def open_bytes(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image

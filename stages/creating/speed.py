"""How fast frozen encoders read here, measured before minutes are spent on it."""

import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from kith.encoders.encoder import PictureEncoder
from kith.encoders.frozen import Frozen
from kith.encoders.registry import load

PICTURES, TEXTS = 16, 32  # of a measurement
SEEN = 128  # pixels of a side at which pictures are timed; the time grows with their area


def picture_seconds(name: str, threads: int) -> float:
    """Seconds that the encoder `name` takes for a picture of SEEN pixels."""
    torch.set_num_threads(threads)
    found = load(name, "image")
    assert isinstance(found, PictureEncoder)
    frozen = Frozen(replace(found, preprocessing=found.preprocessing.but(SEEN, 1.0)))
    pictures = torch.randint(0, 256, (PICTURES, SEEN, SEEN, 3), dtype=torch.uint8)
    frozen.images(pictures[:2])
    began = time.perf_counter()
    frozen.images(pictures)
    return (time.perf_counter() - began) / PICTURES


def text_seconds(name: str, texts: Sequence[str], threads: int) -> float:
    """Seconds that the encoder `name` takes for a text such as these."""
    torch.set_num_threads(threads)
    frozen = Frozen(load(name, "text"))
    step = max(1, len(texts) // TEXTS)
    chosen = sorted(texts[::step][:TEXTS], key=len)
    frozen.texts(chosen[:1])
    began = time.perf_counter()
    frozen.texts(chosen)
    return (time.perf_counter() - began) / len(chosen)

"""How fast frozen encoders read here, measured before minutes are spent on it."""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Literal

import torch

from kith.encoders.encoder import PictureEncoder, TextEncoder
from kith.encoders.frozen import Frozen
from kith.encoders.registry import load
from kith.encoding import computing, reading

PRECISION: Literal["auto"] = "auto"  # in which they read, in the study too
PICTURES, TEXTS, BATCH = 32, 64, 8  # of a measurement
SEEN = 128  # pixels of a side at which pictures are timed; the time grows with their area


def picture_seconds(name: str, threads: int) -> float:
    """Seconds that the encoder `name` takes for a picture of SEEN pixels."""
    torch.set_num_threads(threads)
    found = load(name, "image")
    assert isinstance(found, PictureEncoder)
    frozen = Frozen(replace(found, preprocessing=found.preprocessing.but(SEEN, 1.0)))
    pictures = torch.randint(0, 256, (PICTURES, SEEN, SEEN, 3), dtype=torch.uint8)
    with computing(PRECISION):
        frozen.images(pictures[:2])
        began = time.perf_counter()
        frozen.images(pictures)
        return (time.perf_counter() - began) / PICTURES


class TextSpeed:
    """Seconds that the encoder `name` takes for a text such as these, of which so many tokens are read."""

    def __init__(self, name: str, texts: Sequence[str], threads: int):
        torch.set_num_threads(threads)
        found = load(name, "text")
        assert isinstance(found, TextEncoder)
        self.encoder, step = found, max(1, len(texts) // TEXTS)
        self.texts = sorted(texts[::step][:TEXTS], key=len)

    def longer(self, tokens: int) -> float:
        """The share of the texts that have more tokens."""
        return Frozen(reading(self.encoder, tokens)).cut(self.texts) / len(self.texts)

    @cache  # noqa: B019  # measured once, and gone with the measurement
    def __call__(self, tokens: int) -> float:
        frozen = Frozen(reading(self.encoder, min(tokens, self.encoder.max_tokens)))
        with computing(PRECISION):
            frozen.texts(self.texts[:1])
            began = time.perf_counter()
            for start in range(0, len(self.texts), BATCH):  # of like length, as they are encoded
                frozen.texts(self.texts[start : start + BATCH])
            return (time.perf_counter() - began) / len(self.texts)

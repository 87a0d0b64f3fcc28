"""How fast frozen encoders read here, measured before minutes are spent on it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Literal

import torch

from kith.encoders.encoder import PictureEncoder, TextEncoder
from kith.encoders.frozen import Frozen
from kith.encoders.registry import load
from kith.encoding import computing, reading

PRECISION: Literal["auto"] = "auto"  # in which they read, in the study too
PICTURES, TEXTS, BATCH = 32, 64, 16  # of a measurement
PRODUCTS, ROUNDS = 30, 3  # of matrices
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
        return _seconds(frozen.images, pictures.split(BATCH)) / PICTURES


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
        # Those of like length together, as they are encoded.
        batches = [self.texts[start : start + BATCH] for start in range(0, len(self.texts), BATCH)]
        with computing(PRECISION):
            frozen.texts(self.texts[:1])
            return _seconds(frozen.texts, batches) / len(self.texts)


def _seconds(work: Callable[[Any], object], parts: Sequence[Any]) -> float:
    """Seconds of the work on all parts."""
    began = time.perf_counter()
    for part in parts:
        work(part)
    return time.perf_counter() - began


def best_threads(most: int) -> int:
    """How many threads compute fastest here: `most`, or one, where other programs want the processor: threads wait for
    each other after each product of matrices, and so for all that keeps one of them."""
    spent = dict.fromkeys((1, most), 0.0)
    rows, weights = torch.ones(64, 384), torch.ones(384, 1536)
    for _ in range(ROUNDS if most > 1 else 0):
        for threads in spent:
            torch.set_num_threads(threads)
            rows @ weights
            began = time.perf_counter()
            for _ in range(PRODUCTS):
                rows @ weights
            spent[threads] += time.perf_counter() - began
    return min(spent, key=lambda threads: spent[threads])

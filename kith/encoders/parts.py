"""Encoding in parts that are kept: what goes on after a kill, and is found again by its content.

The key of a set of parts is of all that decides the features: the inputs, the encoder and its preprocessing, the size
of the batches, the device, and the code. So a part that is there is right, whichever study has made it.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from kith.data.digests import sha256_of
from kith.encoders.frozen import Frozen, reference

ROWS = 2048  # of a part
LIBRARY = Path(__file__).parents[1]
SOURCES = ("encoders", "networks")


def key(frozen: Frozen, inputs: str, batch: int) -> str:
    """SHA-256 that names the parts; inputs: the checksum of the pictures or texts, batch: how many at a time."""
    known = {
        **{"inputs": inputs, "encoder": reference(frozen.encoder), "device": frozen.device.type},
        **{"batch": batch, "rows": ROWS, "torch": torch.__version__, "code": _code()},
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def spans(rows: int) -> list[range]:
    """The rows of each part.

    >>> spans(3000)
    [range(0, 2048), range(2048, 3000)]
    """
    return [range(start, min(start + ROWS, rows)) for start in range(0, rows, ROWS)]


def of_images(frozen: Frozen, take: Callable[[np.ndarray], torch.Tensor], rows: range, batch: int) -> np.ndarray:
    """(n, width) float16 of the pictures `rows`; take: (b,) row numbers to uint8 pictures (b, H, W, C)."""
    starts = range(rows.start, rows.stop, batch)
    return np.concatenate([frozen.images(take(np.arange(at, min(at + batch, rows.stop)))) for at in starts])


def of_texts(frozen: Frozen, texts: Sequence[str], batch: int) -> np.ndarray:
    """(n, width) float16 of texts; those of like length are encoded together, which saves filling them up."""
    order = sorted(range(len(texts)), key=lambda row: (len(texts[row]), row))
    groups = [order[at : at + batch] for at in range(0, len(order), batch)]
    features = np.concatenate([frozen.texts([texts[row] for row in group]) for group in groups])
    found = np.empty_like(features)
    found[order] = features
    return found


def checksum_of(texts: Sequence[str]) -> str:
    """SHA-256 of texts in their order.

    >>> checksum_of(["a", "b"]) == checksum_of(["ab", ""])
    False
    """
    total = hashlib.sha256()
    for text in texts:
        content = text.encode("utf-8", errors="surrogatepass")
        total.update(len(content).to_bytes(8, "little") + content)
    return total.hexdigest()


def _code() -> str:
    return sha256_of((path for name in SOURCES for path in (LIBRARY / name).rglob("*.py")), LIBRARY)

"""Encode the rows that are new, and take the others from what is kept."""

import contextlib
import hashlib
import json
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from kith.data.digests import sha256_of
from kith.encoders.frozen import Frozen, reference
from kith.rows.kept import Keeper, RowMemory
from kith.rows.sources import EncodableRows

LIBRARY = Path(__file__).parents[1]
# What decides a vector.
SOURCES = (
    *("encoders/**/*.py", "networks/**/*.py", "rows/shapes.py", "rows/sources.py"),
    *("data/images.py", "data/depths.py", "store/photos.py", "store/inputs.py"),
    *("text/pretrained.py", "text/tokenizer.py", "text/tokens.py"),
)
LIBRARIES = ("transformers", "tokenizers", "timm")  # whose version may move a vector's last bits, as torch's may
NOTE = "alone.json"
AT_ONCE = 2048  # copies of rows


class Counted(NamedTuple):
    """How many rows there are, were kept, are the same as another one, and were encoded."""

    rows: int
    known: int
    same: int
    encoded: int

    def told(self, unit: str) -> str:
        """
        >>> Counted(2100, 2000, 3, 97).told("texts")
        'encoded 97 of 2,100 texts; 2,000 were known, 3 are the same as others'
        """
        told = [f"{self.known:,} were known" if self.known else "", f"{self.same:,} are the same as others"]
        rest = ", ".join(part for part, count in zip(told, (self.known, self.same), strict=True) if count)
        return f"encoded {self.encoded:,} of {self.rows:,} {unit}" + (f"; {rest}" if rest else "")


def folder_of(root: Path, frozen: Frozen, rows: EncodableRows, batch: int) -> Path:
    """Where below `root` the vectors of such rows are kept: its name is of all that decides them but the row itself."""
    known: dict[str, Any] = rows.told() | {"encoder": reference(frozen.encoder), "batch": batch, "code": _code()}
    known |= {"device": frozen.device.type, "processor": torch.backends.cpu.get_cpu_capability()}
    known |= {"threads": torch.get_num_threads(), "torch": torch.__version__}
    if torch.is_autocast_enabled(frozen.device.type):
        known["computing"] = str(torch.get_autocast_dtype(frozen.device.type))
    if frozen.device.type != "cpu":
        known["accelerator"] = torch.cuda.get_device_name(frozen.device)
    known |= {name: _version(name) for name in LIBRARIES}
    return root / hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def stands_alone(folder: Path, rows: EncodableRows) -> bool:
    """Whether the encoder gives a row the same bits whatever stands beside it: tried once, and noted in `folder`."""
    path = folder / NOTE
    try:
        return bool(json.loads(path.read_text())["alone"])
    except (OSError, ValueError, KeyError, TypeError):
        found = rows.alone()
        with contextlib.suppress(OSError):  # then it is tried again the next time
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"alone": found}) + "\n")
        return found


def encode(rows: EncodableRows, kept: RowMemory, features: np.ndarray, step: Callable[[int], object]) -> Counted:
    """Fill `features` (n, …): with what is kept, and else with what `rows` are encoded to, which is kept
    then, some thousand at a time. step: is told of so many rows more."""
    every = rows.keys()
    keys, first, copies = np.unique(every, return_index=True, return_inverse=True)
    missing = np.ones(len(keys), dtype=bool)
    for places, vectors in kept.found(keys):
        features[first[places]] = vectors
        missing[places] = False
        step(len(places))
    with Keeper(kept) as keeper:
        for batch, vectors in rows.encode(np.sort(first[missing])):
            features[batch] = vectors
            keeper.add(every[batch], vectors)
            step(len(batch))
    others = np.setdiff1d(np.arange(len(rows)), first, assume_unique=True)
    for start in range(0, len(others), AT_ONCE):
        part = others[start : start + AT_ONCE]
        features[part] = features[first[copies[part]]]
    step(len(others))
    return Counted(len(rows), int((~missing).sum()), len(others), int(missing.sum()))


def encode_all(rows: EncodableRows, features: np.ndarray, step: Callable[[int], object]) -> None:
    """Fill `features` (n, …) with what all `rows` are encoded to."""
    for batch, vectors in rows.encode(np.arange(len(rows))):
        features[batch] = vectors
        step(len(batch))


def _code() -> str:
    return sha256_of((path for pattern in SOURCES for path in LIBRARY.glob(pattern)), LIBRARY)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None

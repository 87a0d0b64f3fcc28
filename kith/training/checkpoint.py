"""The checkpoint of an unfinished training, and the fingerprint of all that decides how it goes on."""

import hashlib
import io
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from kith.data.digests import sha256, sha256_of

LIBRARY = Path(__file__).parents[1]
# Sources of the library that decide what a training computes.
SOURCES = (
    *("cca", "encoders", "losses", "metrics", "mining", "models", "networks", "store", "text", "training"),
    *("constraints.py", "similarity.py", "data/images.py", "data/shards.py"),
)

SEAL = 32  # bytes of a SHA-256


class Checkpoint:
    """The state of an unfinished training, kept outside the stage's outputs, which both engines clear.

    The fingerprint is of all that the training depends on: with other data, parameters or code it is ignored. Only
    tensors and plain values are read, so that a file from elsewhere cannot run code; one that cannot be read, or is
    not as it was written, is set aside. write_bytes: writes a file whole or not at all.
    """

    def __init__(self, path: Path, fingerprint: str, write_bytes: Callable[[Path, bytes], None]):
        self.path = path
        self.fingerprint = fingerprint
        self.write_bytes = write_bytes

    def read(self) -> dict[str, Any] | None:
        """The state that was written last, if it is of this training."""
        if not self.path.exists():
            return None
        try:
            content = torch.load(self._proved(), map_location="cpu", weights_only=True)
            found, state = content["fingerprint"], content["state"]
        except Exception as error:  # torch raises nearly anything on a broken file
            self._set_aside(error)
            return None
        if found != self.fingerprint:
            return None
        print(f"resuming after epoch {len(state['history'])}")
        return state

    def _proved(self) -> io.BytesIO:
        """What was written, without the checksum that follows it: PyTorch proves no tensor that it reads."""
        kept = self.path.read_bytes()
        content, seal = kept[:-SEAL], kept[-SEAL:]
        if hashlib.sha256(content).digest() != seal:
            raise ValueError("it is damaged, or of an earlier version")
        return io.BytesIO(content)

    def _set_aside(self, error: Exception) -> None:
        aside = self.path.with_name(f"{self.path.name}.broken")
        os.replace(self.path, aside)
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        print(f"{self.path}: cannot be read ({reason}); it is now {aside}, and training starts anew", file=sys.stderr)

    def write(self, state: dict[str, Any]) -> None:
        buffer = io.BytesIO()
        torch.save({"fingerprint": self.fingerprint, "state": state}, buffer)
        content = buffer.getvalue()
        self.write_bytes(self.path, content + hashlib.sha256(content).digest())

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def fingerprint(*known: str, files: Iterable[Path] = ()) -> str:
    """SHA-256 of what is known of a training, of the files that exist, and of the library's sources."""
    parts = [*known, *(sha256(path) for path in files if path.exists()), code(LIBRARY)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def code(library: Path) -> str:
    """SHA-256 of the names and contents of SOURCES in the folder `library`."""
    places = [library / name for name in SOURCES]
    sources = (path for place in places for path in ([place] if place.is_file() else place.rglob("*.py")))
    return sha256_of(sources, library)
